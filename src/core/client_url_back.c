#include "base/base.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/client_url.h"

/* An address that an edit may have written, where it stands now. */
struct hit {
	size_t at;
	size_t group;			/* the same for the same address */
	const struct client_url_edited *place;	/* that it is; NULL: none */
};

struct back {
	const char *text;
	size_t len;
	size_t before, after;		/* bytes of the text then */
	size_t total;			/* addresses of ours, then */
	struct client_url_edited *places;
	bool *settled;			/* each of them */
	size_t n_places;
	struct hit *hits;
	size_t n_hits, n_groups;
};

static bool
take_number(const char **p, size_t *out)
{
	char *end;

	if (**p < '0' || **p > '9')
		return false;
	*out = strtoull(*p, &end, 10);
	*p = end + (*end == ' ');
	return true;
}

static bool
take_word(const char **p, char out[static 256])
{
	size_t n = strcspn(*p, " ");

	if (n == 0 || n > 255)
		return false;
	memcpy(out, *p, n);
	out[n] = '\0';
	*p += n + ((*p)[n] == ' ');
	return true;
}

bool
client_url_edited(const char **record, struct client_url_edited *out)
{
	return take_number(record, &out->at) &&
	    take_word(record, out->from) && take_word(record, out->to);
}

static bool
stands(const struct back *b, size_t at, const char *word)
{
	struct client_urls urls = { .n = 0 };
	struct client_url_place place;
	size_t n = strlen(word), from = at;
	bool found;

	if (at > b->len || n > b->len - at ||
	    memcmp(b->text + at, word, n) != 0)
		return false;
	client_urls_add(&urls, word, NULL);
	found = client_url_next(b->text, b->len, &urls, &from, &place) &&
	    place.at == at;
	client_urls_clear(&urls);
	return found;
}

static void
add_places(struct back *b, const char **record)
{
	const char *next = *record;
	struct client_url_edited one;

	while (client_url_edited(&next, &one)) {
		b->places = mem_grow(b->places, b->n_places + 1,
		    sizeof(*b->places));
		b->places[b->n_places++] = one;
		*record = next;
	}
	b->settled = mem_zero(b->n_places + 1, sizeof(*b->settled));
}

/* Every whole address that is in the record as a new one. */
static void
add_hits(struct back *b)
{
	struct client_urls urls = { .n = 0 }, one;
	struct client_url_place place;
	size_t at;

	for (size_t i = 0; i < b->n_places; i++)
		client_urls_add(&urls, b->places[i].to, NULL);
	for (size_t i = 0; i < urls.n; i++) {
		one = (struct client_urls){ .list = { urls.list[i] }, .n = 1 };
		at = 0;
		while (client_url_next(b->text, b->len, &one, &at, &place)) {
			b->hits = mem_grow(b->hits, b->n_hits + 1,
			    sizeof(*b->hits));
			b->hits[b->n_hits++] = (struct hit){
				.at = place.at, .group = i };
		}
	}
	b->n_groups = urls.n;
	client_urls_clear(&urls);
}

static void
back_clear(struct back *b)
{
	free(b->places);
	free(b->settled);
	free(b->hits);
}

size_t
client_url_count_new(const char *text, size_t len, const char *places)
{
	struct back b = { .text = text, .len = len };
	size_t n;

	add_places(&b, &places);
	add_hits(&b);
	n = b.n_hits;
	back_clear(&b);
	return n;
}

static bool
read_record(struct back *b, const char *record)
{
	if (!take_number(&record, &b->before) ||
	    !take_number(&record, &b->after))
		return false;
	add_places(b, &record);
	return b->n_places > 0 && take_number(&record, &b->total) &&
	    *record == '\0';
}

/* Those that somebody has put back, or we, in an earlier call. */
static void
settle_former(struct back *b)
{
	const struct client_url_edited *one;

	for (size_t i = 0; i < b->n_places; i++) {
		one = &b->places[i];
		b->settled[i] = stands(b, one->at, one->from) ||
		    (one->at <= b->before && b->before - one->at <= b->len &&
		    stands(b, b->len - (b->before - one->at), one->from));
	}
}

static bool
take_hit(struct back *b, size_t at, size_t place)
{
	for (size_t i = 0; i < b->n_hits; i++) {
		if (b->hits[i].at != at || b->hits[i].place ||
		    !stands(b, at, b->places[place].to))
			continue;
		b->hits[i].place = &b->places[place];
		b->settled[place] = true;
		return true;
	}
	return false;
}

/* As far from the begin of the text as then, or as far from its end. */
static void
settle_in_place(struct back *b)
{
	size_t at, shift = 0;	/* may wrap: it is added again */
	const struct client_url_edited *one;

	for (size_t i = 0; i < b->n_places; i++) {
		one = &b->places[i];
		at = one->at + shift;
		shift += strlen(one->to) - strlen(one->from);
		if (b->settled[i] || take_hit(b, at, i))
			continue;
		if (at <= b->after && b->after - at <= b->len)
			(void)take_hit(b, b->len - (b->after - at), i);
	}
}

/* The next place that is not settled and has this address. */
static size_t
next_place(const struct back *b, size_t i, const struct hit *hit)
{
	while (i < b->n_places && (b->settled[i] ||
	    !stands(b, hit->at, b->places[i].to)))
		i++;
	return i;
}

/*
 * Where every one was ours then and there are no more now, they are those, in
 * their order; where one was removed, when all of them were the same before.
 */
static void
settle_in_order(struct back *b, size_t group)
{
	const struct hit *first = NULL;
	size_t hits = 0, places = 0, i, k = 0;
	bool same = true;

	for (i = 0; i < b->n_hits; i++) {
		if (b->hits[i].group != group || b->hits[i].place)
			continue;
		first = first ? first : &b->hits[i];
		hits++;
	}
	for (i = first ? next_place(b, 0, first) : b->n_places;
	    i < b->n_places; i = next_place(b, i + 1, first)) {
		k = places++ == 0 ? i : k;
		same = same && str_eq(b->places[i].from, b->places[k].from);
	}
	if (hits > places || (hits < places && !same))
		return;
	for (i = 0; i < b->n_hits; i++) {
		if (b->hits[i].group != group || b->hits[i].place)
			continue;
		k = next_place(b, 0, &b->hits[i]);
		b->hits[i].place = &b->places[k];
		b->settled[k] = true;
	}
}

static int
by_place(const void *a, const void *b)
{
	const struct hit *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static size_t
put_back(struct back *b, struct buf *out)
{
	size_t done = 0, n = 0;
	const struct hit *hit;

	qsort(b->hits, b->n_hits, sizeof(*b->hits), by_place);
	for (size_t i = 0; i < b->n_hits; i++) {
		hit = &b->hits[i];
		if (!hit->place || hit->at < done)
			continue;
		buf_add(out, b->text + done, hit->at - done);
		buf_str(out, hit->place->from);
		done = hit->at + strlen(hit->place->to);
		n++;
	}
	if (n > 0)
		buf_add(out, b->text + done, b->len - done);
	return n;
}

bool
client_url_revert(const char *text, size_t len, const char *record,
    struct buf *out, size_t *left)
{
	struct back b = { .text = text, .len = len };
	size_t n = 0, others;

	*left = 1;
	if (read_record(&b, record)) {
		add_hits(&b);
		settle_former(&b);
		settle_in_place(&b);
		others = b.total > b.n_places ? b.total - b.n_places : 0;
		for (size_t i = 0; others == 0 && i < b.n_groups; i++)
			settle_in_order(&b, i);
		n = b.n_hits > 0 ? put_back(&b, out) : 0;
		*left = b.n_hits - n > others ? b.n_hits - n - others : 0;
	}
	back_clear(&b);
	return n > 0;
}
