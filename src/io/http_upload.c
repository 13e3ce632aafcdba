#include "base/base.h"

#include "base/err.h"
#include "base/stop.h"
#include "io/http.h"
#include "io/http_check.h"
#include "io/http_part.h"

static size_t
on_source(char *data, size_t one, size_t count, void *ctx)
{
	struct call *call = ctx;
	ptrdiff_t len;

	len = call->source(call->ctx, data, one * count, &call->cause);
	return len < 0 ? CURL_READFUNC_ABORT : (size_t)len;
}

static CURLcode
fill_mime(curl_mime *mime, const struct http_field *fields, size_t n_fields,
    const char *filename, struct call *call)
{
	CURLcode code = CURLE_OK;
	curl_mimepart *part;
	size_t i;

	for (i = 0; code == CURLE_OK && i < n_fields; i++) {
		part = curl_mime_addpart(mime);
		if (!part)
			return CURLE_OUT_OF_MEMORY;
		code = curl_mime_name(part, fields[i].name);
		if (code == CURLE_OK)
			code = curl_mime_data(part, fields[i].value,
			    CURL_ZERO_TERMINATED);
	}
	part = curl_mime_addpart(mime);
	if (!part)
		return CURLE_OUT_OF_MEMORY;
	if (code == CURLE_OK)
		code = curl_mime_name(part, "file");
	if (code == CURLE_OK)
		code = curl_mime_filename(part, filename);
	if (code == CURLE_OK)
		code = curl_mime_data_cb(part, -1, on_source, NULL, NULL,
		    call);
	return code;
}

int
http_upload(struct http *h, const char *path,
    const struct http_field *fields, size_t n_fields, const char *filename,
    http_source *source, void *ctx, uint64_t timeout_ms,
    struct http_reply *reply, struct err *err)
{
	struct call call = { .reply = reply, .source = source, .ctx = ctx };
	curl_mime *mime = NULL;
	CURLcode code;
	int rc = -1;

	http_begin_reply(reply);
	if (http_check_path(path, err) != 0 || stop_check(err) != 0)
		goto out;
	mime = curl_mime_init(h->curl);
	code = mime ? fill_mime(mime, fields, n_fields, filename, &call) :
	    CURLE_OUT_OF_MEMORY;
	if (code != CURLE_OK)
		(void)http_fail(h, &call, code, err);
	else
		rc = http_request(h, "POST", path, NULL, mime, timeout_ms,
		    &call, err);
out:
	curl_mime_free(mime);
	if (rc == 0)
		return 0;
	http_begin_reply(reply);
	return err_ctx(err, "POST %s%s", h->url, path);
}
