#include "base/base.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/stop.h"
#include "base/str.h"
#include "io/http.h"
#include "io/http_check.h"
#include "io/http_head.h"
#include "io/http_part.h"

#if LIBCURL_VERSION_NUM < 0x075500
#error "libcurl 7.85 or later is needed"
#endif

#define CONNECT_MS 10000
#define SILENCE_S 120

/* A page of a listing is a megabyte: in few pieces. */
#define RECEIVE_BYTES 131072L

static int
on_progress(void *ctx, curl_off_t dl_total, curl_off_t dl_now,
    curl_off_t ul_total, curl_off_t ul_now)
{
	(void)ctx;
	(void)dl_total;
	(void)dl_now;
	(void)ul_total;
	(void)ul_now;
	return stop_asked() ? 1 : 0;
}

/*
 * Connected, and about to send.  libcurl comes here again when a kept
 * connection was closed before a byte of the answer: the server may have
 * acted all the same, so only a GET goes on.
 */
static int
on_prereq(void *ctx, char *peer_ip, char *own_ip, int peer_port,
    int own_port)
{
	struct call *call = ctx;

	(void)peer_ip;
	(void)own_ip;
	(void)peer_port;
	(void)own_port;
	call->sent++;
	return call->sent == 1 || call->repeatable ? CURL_PREREQFUNC_OK :
	    CURL_PREREQFUNC_ABORT;
}

static size_t
on_header(char *line, size_t one, size_t len, void *ctx)
{
	struct call *call = ctx;

	(void)one;
	return http_head_line(&call->head, line, len) ? len : 0;
}

static size_t
on_body(char *data, size_t one, size_t len, void *ctx)
{
	struct call *call = ctx;

	(void)one;
	if (call->probe && call->probe->first_ms == 0)
		call->probe->first_ms = clock_ms() - call->begun_ms + 1;
	buf_add(&call->reply->body, data, len);
	call->body_over = call->reply->body.full;
	return call->body_over ? 0 : len;
}

/* One part of a parsed URL, "" when absent; the caller frees (curl_free). */
static char *
url_part(CURLU *u, CURLUPart part)
{
	char *text = NULL;

	if (curl_url_get(u, part, &text, 0) != CURLUE_OK)
		return NULL;
	return text;
}

static int
check_url(struct http *h, const struct http_spec *spec, CURLU *u,
    struct err *err)
{
	char *scheme = url_part(u, CURLUPART_SCHEME);
	char *host = url_part(u, CURLUPART_HOST);
	const char *peer = spec->connect_to ? spec->connect_to : host;
	bool https, loopback;
	int rc = -1;

	if (!scheme || !host) {
		(void)err_set(err, ERR_USAGE, "not a URL with a host");
		goto out;
	}
	https = str_eq(scheme, "https");
	loopback = http_check_loopback(peer);
	h->direct = loopback || spec->connect_to;
	if (!https && !str_eq(scheme, "http"))
		(void)err_set(err, ERR_USAGE, "only https:// (and http:// on "
		    "loopback) is spoken here");
	else if (!https && !loopback && (!spec->clear || spec->token))
		(void)err_set(err, ERR_USAGE, "http:// is for loopback "
		    "alone: a token would cross the network in clear");
	else
		rc = 0;
out:
	curl_free(host);
	curl_free(scheme);
	return rc;
}

/* Set h->url from spec, without what it must not have. */
static int
take_url(struct http *h, const struct http_spec *spec, struct err *err)
{
	static const CURLUPart strange[] = { CURLUPART_USER,
		CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT };
	CURLU *u = curl_url();
	char *part, *path = NULL, *whole = NULL;
	size_t i, len;
	int rc = -1;

	if (!u || curl_url_set(u, CURLUPART_URL, spec->url, 0) != CURLUE_OK) {
		(void)err_set(err, ERR_USAGE, "not a URL");
		goto out;
	}
	for (i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		part = url_part(u, strange[i]);
		curl_free(part);
		if (part) {
			(void)err_set(err, ERR_USAGE, "a base URL has no "
			    "user, query or fragment");
			goto out;
		}
	}
	path = url_part(u, CURLUPART_PATH);
	if (check_url(h, spec, u, err) != 0)
		goto out;
	if (http_check_path(path ? path : "/", err) != 0) {
		err->kind = ERR_USAGE;	/* the user's words, not a peer's */
		goto out;
	}
	whole = url_part(u, CURLUPART_URL);
	if (!whole) {
		(void)err_set(err, ERR_USAGE, "not a URL");
		goto out;
	}
	for (len = strlen(whole); len > 0 && whole[len - 1] == '/'; len--)
		;
	h->url = mem_strndup(whole, len);
	rc = 0;
out:
	curl_free(whole);
	curl_free(path);
	curl_url_cleanup(u);
	return rc;
}

static int
take_spec(struct http *h, const struct http_spec *spec, struct err *err)
{
	if (spec->connect_to &&
	    http_check_connect_to(spec->connect_to, err) != 0)
		return -1;
	if (take_url(h, spec, err) != 0)
		return -1;
	if (spec->token && http_check_token(spec->token, err) != 0)
		return -1;
	if (spec->ca_file && access(spec->ca_file, R_OK) != 0)
		return err_sys(err, ERR_USAGE, "CA file %s", spec->ca_file);

	/* Every host and port, to that address, at the port that was asked. */
	if (spec->connect_to)
		h->connect_to = mem_printf(strchr(spec->connect_to, ':') ?
		    "::[%s]:" : "::%s:", spec->connect_to);
	if (spec->ca_file)
		h->ca_file = mem_strdup(spec->ca_file);
	h->token = spec->token;
	h->tls13 = spec->tls13;
	h->connect_ms = spec->connect_ms ? (long)spec->connect_ms :
	    CONNECT_MS;
	h->silence_s = spec->silence_s ? (long)spec->silence_s : SILENCE_S;
	return 0;
}

int
http_open(const struct http_spec *spec, struct http **out, struct err *err)
{
	struct buf name = BUF_INIT(256);
	struct http *h = NULL;
	int rc = -1;

	*out = NULL;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ERR_FAILED, "libcurl does not start");
	h = mem_zero(1, sizeof(*h));
	h->curl = curl_easy_init();
	if (!h->curl)
		(void)err_set(err, ERR_FAILED, "libcurl does not start");
	else
		rc = take_spec(h, spec, err);
	if (rc == 0) {
		*out = h;
		return 0;
	}

	/* A user and password may be in what was refused: the rest is told. */
	if (!strchr(spec->url, '@')) {
		str_printable(&name, spec->url, strlen(spec->url));
		(void)err_ctx(err, "%s", buf_cstr(&name));
		buf_clear(&name);
	}
	http_close(h);
	return -1;
}

void
http_close(struct http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	free(h->connect_to);
	free(h->ca_file);
	free(h->url);
	free(h);
	curl_global_cleanup();
}

const char *
http_url(const struct http *h)
{
	return h->url;
}

static void
free_headers(struct curl_slist *list)
{
	struct curl_slist *at;

	for (at = list; at; at = at->next)
		secret_wipe(at->data, strlen(at->data));
	curl_slist_free_all(list);
}

/* Append; a NULL list in and out means that memory ran out before. */
static struct curl_slist *
add_header(struct curl_slist *list, const char *line)
{
	struct curl_slist *grown = curl_slist_append(list, line);

	if (!grown)
		free_headers(list);
	return grown;
}

/* Those of a probe; a NULL list in and out as above. */
static struct curl_slist *
add_fields(struct curl_slist *list, const struct http_probe *probe)
{
	char *line;

	for (size_t i = 0; list && i < probe->n_fields; i++) {
		line = mem_printf("%s: %s", probe->fields[i].name,
		    probe->fields[i].value);
		list = add_header(list, line);
		free(line);
	}
	return list;
}

static struct curl_slist *
make_headers(const struct http *h, bool json, const struct http_probe *probe)
{
	static const char prefix[] = "Authorization: Bearer ";
	struct curl_slist *list;
	size_t len;
	char *line;

	list = add_header(NULL, "Accept: application/json");
	if (list && json)
		list = add_header(list, "Content-Type: application/json");
	if (list && probe)
		list = add_fields(list, probe);
	if (!list || !h->token)
		return list;

	/* Of one piece, so that no grown-out-of copy stays in the heap. */
	len = sizeof(prefix) + secret_len(h->token);
	line = mem_alloc(len);
	memcpy(line, prefix, sizeof(prefix) - 1);
	memcpy(line + sizeof(prefix) - 1, secret_bytes(h->token),
	    secret_len(h->token) + 1);
	list = add_header(list, line);
	secret_wipe(line, len);
	free(line);
	return list;
}

/* Set one option unless one failed before. */
#define SET(option, value) do {						\
	if (code == CURLE_OK)						\
		code = curl_easy_setopt(curl, option, value);		\
} while (0)

/* What may be reached, how it is proven to be who it is, and for how long. */
static CURLcode
set_transport(const struct http *h, uint64_t timeout_ms)
{
	CURLcode code = CURLE_OK;
	CURL *curl = h->curl;

	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_SSLVERSION, h->tls13 ? (long)CURL_SSLVERSION_TLSv1_3 :
	    (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	if (h->ca_file) {
		/* The system's directory would be trusted besides. */
		SET(CURLOPT_CAINFO, h->ca_file);
		SET(CURLOPT_CAPATH, NULL);
	}
	if (h->direct)
		SET(CURLOPT_NOPROXY, "*");
	SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, h->connect_ms);
	SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(CURLOPT_LOW_SPEED_TIME, h->silence_s);
	SET(CURLOPT_TIMEOUT_MS,
	    timeout_ms > INT_MAX ? (long)INT_MAX : (long)timeout_ms);
	return code;
}

static CURLcode
set_call(const struct http *h, struct call *call)
{
	CURLcode code = CURLE_OK;
	CURL *curl = h->curl;

	SET(CURLOPT_USERAGENT, "sanctumctl");
	SET(CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
	SET(CURLOPT_ERRORBUFFER, call->text);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, call);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, call);
	SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)call->reply->body.max);
	SET(CURLOPT_NOPROGRESS, 0L);
	SET(CURLOPT_XFERINFOFUNCTION, on_progress);
	SET(CURLOPT_PREREQFUNCTION, on_prereq);
	SET(CURLOPT_PREREQDATA, call);
	if (call->probe && call->probe->certificate) {
		SET(CURLOPT_CERTINFO, 1L);
		SET(CURLOPT_FRESH_CONNECT, 1L);
	}
	return code;
}

static CURLcode
set_method(const struct http *h, const char *method, const char *json)
{
	CURLcode code = CURLE_OK;
	CURL *curl = h->curl;
	bool bodyless = str_eq(method, "GET") || str_eq(method, "DELETE") ||
	    str_eq(method, "OPTIONS");

	if (json || !bodyless) {
		SET(CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)(json ? strlen(json) : 0));
		SET(CURLOPT_POSTFIELDS, json ? json : "");
	}
	SET(CURLOPT_CUSTOMREQUEST, method);
	return code;
}

int
http_fail(const struct http *h, const struct call *call, CURLcode code,
    struct err *err)
{
	const char *cause = *call->text ? call->text :
	    curl_easy_strerror(code);
	struct buf text = BUF_INIT(2 * CURL_ERROR_SIZE);

	str_printable(&text, cause, strlen(cause));
	cause = buf_cstr(&text);
	if (call->head.bytes > HTTP_HEAD_MAX_BYTES) {
		(void)err_set(err, ERR_DATA, "headers of the answer are "
		    "larger than %d bytes", HTTP_HEAD_MAX_BYTES);
	} else if (call->body_over || code == CURLE_FILESIZE_EXCEEDED) {
		(void)err_set(err, ERR_DATA, "answer larger than %zu bytes",
		    call->reply->body.max);
	} else switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		(void)err_set(err, ERR_AUTH, "its certificate does not "
		    "verify: %s", cause);
		break;
	case CURLE_SSL_CACERT_BADFILE:
		(void)err_set(err, ERR_USAGE, "CA file %s: %s",
		    h->ca_file ? h->ca_file : "of the system", cause);
		break;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		(void)err_set(err, ERR_DATA, "answer is not HTTP: %s", cause);
		break;
	case CURLE_OUT_OF_MEMORY:
	case CURLE_FAILED_INIT:
	case CURLE_BAD_FUNCTION_ARGUMENT:
	case CURLE_UNKNOWN_OPTION:
	case CURLE_NOT_BUILT_IN:
	case CURLE_URL_MALFORMAT:
		(void)err_set(err, ERR_FAILED, "libcurl: %s", cause);
		break;
	case CURLE_ABORTED_BY_CALLBACK:
	case CURLE_GOT_NOTHING:
		(void)err_set(err, ERR_UNREACHABLE, "the connection was "
		    "closed before a whole answer");
		break;
	default:
		(void)err_set(err, ERR_UNREACHABLE, "%s", cause);
		break;
	}
	buf_clear(&text);
	return -1;
}

static void
take_head(const struct call *call)
{
	struct http_reply *reply = call->reply;

	(void)snprintf(reply->content_type, sizeof(reply->content_type), "%s",
	    call->head.content_type);
	(void)snprintf(reply->location, sizeof(reply->location), "%s",
	    call->head.location);
	if (reply->status == 429 || reply->status == 503)
		reply->retry_after_ms =
		    http_head_retry_ms(&call->head, time(NULL));
}

static void
take_probe(const struct http *h, const struct call *call)
{
	struct curl_certinfo *chain = NULL;
	const struct curl_slist *line;

	call->probe->total_ms = clock_ms() - call->begun_ms + 1;
	if (!call->probe->certificate ||
	    curl_easy_getinfo(h->curl, CURLINFO_CERTINFO, &chain) !=
	    CURLE_OK || !chain || chain->num_of_certs < 1)
		return;
	for (line = chain->certinfo[0]; line; line = line->next) {
		if (str_starts(line->data, "Cert:"))
			buf_printf(call->probe->certificate, "%s",
			    line->data + strlen("Cert:"));
	}
}

/*
 * Send what was set and wait for the answer.  The handle keeps nothing of
 * call after: its next request begins with curl_easy_reset.
 */
static int
perform(const struct http *h, struct call *call, struct err *err)
{
	CURLcode code;

	code = curl_easy_perform(h->curl);
	if (code == CURLE_OK)
		code = curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE,
		    &call->reply->status);

	/* libcurl takes headers that are cut for an answer (7.88.1, seen). */
	if (code == CURLE_OK && call->head.inside)
		code = CURLE_GOT_NOTHING;
	if (code == CURLE_OK) {
		take_head(call);
		if (call->probe)
			take_probe(h, call);
		if (!call->repeatable)
			fault_point("http_write");
		return 0;
	}

	/* Cut by the source, the body was not whole: nothing to act on. */
	if (call->cause.kind != ERR_NONE) {
		*err = call->cause;
		return -1;
	}
	if (stop_check(err) == 0)
		(void)http_fail(h, call, code, err);
	if (call->sent > 0 && !call->repeatable) {
		(void)err_ctx(err, "whether the server acted on it is not "
		    "known");
		err->transient = false;
	}
	return -1;
}

int
http_request(struct http *h, const char *method, const char *path,
    const char *json, curl_mime *mime, uint64_t timeout_ms,
    struct call *call, struct err *err)
{
	struct curl_slist *headers = NULL, *to = NULL;
	char *url = mem_printf("%s%s", h->url, path);
	CURL *curl = h->curl;
	CURLcode code;
	int rc = -1;

	call->repeatable = str_eq(method, "GET") || str_eq(method, "OPTIONS");
	call->begun_ms = clock_ms();
	headers = make_headers(h, json && !call->probe, call->probe);
	if (h->connect_to)
		to = curl_slist_append(NULL, h->connect_to);
	code = set_transport(h, timeout_ms);
	if (code == CURLE_OK)
		code = set_call(h, call);
	if (code == CURLE_OK && !headers)
		code = CURLE_OUT_OF_MEMORY;
	if (code == CURLE_OK && h->connect_to && !to)
		code = CURLE_OUT_OF_MEMORY;
	SET(CURLOPT_URL, url);
	SET(CURLOPT_HTTPHEADER, headers);
	SET(CURLOPT_CONNECT_TO, to);
	if (mime) {
		/*
		 * On a kept connection that turns out closed, what source
		 * gave would be gone: it gives its bytes once.
		 */
		SET(CURLOPT_FRESH_CONNECT, 1L);
		SET(CURLOPT_MIMEPOST, mime);
	} else if (code == CURLE_OK)
		code = set_method(h, method, json);
	if (code != CURLE_OK)
		(void)http_fail(h, call, code, err);
	else
		rc = perform(h, call, err);

	/* The lists and call go away before the handle does. */
	curl_easy_reset(curl);
	curl_slist_free_all(to);
	free_headers(headers);
	free(url);
	return rc;
}

void
http_begin_reply(struct http_reply *reply)
{
	reply->status = 0;
	reply->content_type[0] = '\0';
	reply->location[0] = '\0';
	reply->retry_after_ms = 0;
	buf_clear(&reply->body);
}

int
http_call(struct http *h, const char *method, const char *path,
    const char *json, uint64_t timeout_ms, struct http_reply *reply,
    struct err *err)
{
	struct call call = { .reply = reply };

	http_begin_reply(reply);
	if (http_check_path(path, err) != 0 || stop_check(err) != 0 ||
	    http_request(h, method, path, json, NULL, timeout_ms, &call,
	    err) != 0) {
		http_begin_reply(reply);
		return err_ctx(err, "%s %s%s", method, h->url, path);
	}
	return 0;
}

int
http_probe(struct http *h, const char *method, const char *path,
    struct http_probe *probe, uint64_t timeout_ms, struct http_reply *reply,
    struct err *err)
{
	struct call call = { .reply = reply, .probe = probe,
	    .head = { .all = probe->head } };

	probe->first_ms = probe->total_ms = 0;
	if (probe->head)
		buf_clear(probe->head);
	if (probe->certificate)
		buf_clear(probe->certificate);
	http_begin_reply(reply);
	if (http_check_path(path, err) == 0 && stop_check(err) == 0 &&
	    http_request(h, method, path, probe->body, NULL, timeout_ms, &call,
	    err) == 0)
		return 0;
	http_begin_reply(reply);
	return err_ctx(err, "%s %s%s", method, h->url, path);
}
