#include "base/base.h"

#include "base/mem.h"
#include "base/str.h"
#include "core/af_ids.h"

#define FLAG_BITS 2
#define FIRST_CAP 64
#define EXACT_MAX (UINT64_C(1) << 60)
/* Marks a hash among the keys, which have 62 bits. */
#define HASHED (UINT64_C(1) << 61)

/* FNV-1a, 64 bits. */
static uint64_t
hash(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return h;
}

/* Spread the bits of a key over the table. */
static uint64_t
mix(uint64_t key)
{
	key = (key ^ (key >> 31)) * UINT64_C(0x7fb5d329728ea185);
	return key ^ (key >> 27);
}

uint64_t
af_ids_key(const char *id)
{
	static const char prefix[] = "message-";
	const char *digits = id + strlen(prefix);
	uint64_t number;

	if (str_starts(id, prefix) &&
	    str_u64(digits, EXACT_MAX, &number) &&
	    (*digits != '0' || digits[1] == '\0'))
		return number + 1;
	return HASHED | (mix(hash(id)) & (HASHED - 1));
}

static uint64_t *
slot_of(const struct af_ids *ids, uint64_t key)
{
	size_t i = (size_t)mix(key) & (ids->cap - 1);

	while (ids->slots[i] != 0 && ids->slots[i] >> FLAG_BITS != key)
		i = (i + 1) & (ids->cap - 1);
	return &ids->slots[i];
}

static void
grow(struct af_ids *ids)
{
	struct af_ids larger = {
		.n = ids->n, .cap = ids->cap > 0 ? 2 * ids->cap : FIRST_CAP
	};

	larger.slots = mem_zero(larger.cap, sizeof(*larger.slots));
	for (size_t i = 0; i < ids->cap; i++) {
		if (ids->slots[i] != 0)
			*slot_of(&larger, ids->slots[i] >> FLAG_BITS) =
			    ids->slots[i];
	}
	free(ids->slots);
	*ids = larger;
}

bool
af_ids_add(struct af_ids *ids, uint64_t key, unsigned int flags)
{
	uint64_t *slot;

	if (4 * (ids->n + 1) > 3 * ids->cap)
		grow(ids);
	slot = slot_of(ids, key);
	if (*slot != 0)
		return false;
	*slot = key << FLAG_BITS | flags;
	ids->n++;
	return true;
}

bool
af_ids_find(const struct af_ids *ids, uint64_t key, unsigned int *flags)
{
	const uint64_t *slot;

	if (ids->n == 0)
		return false;
	slot = slot_of(ids, key);
	if (*slot != 0 && flags)
		*flags = *slot & ((1u << FLAG_BITS) - 1);
	return *slot != 0;
}

void
af_ids_clear(struct af_ids *ids)
{
	free(ids->slots);
	*ids = (struct af_ids){ 0 };
}
