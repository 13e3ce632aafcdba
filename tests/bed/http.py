"""Small JSON-over-HTTP client for the bed, on urllib."""

import json
import urllib.error
import urllib.request


class HttpError(Exception):
    """A peer answered with an error; `status` and `body` hold it."""

    def __init__(self, method, url, status, body):
        super().__init__(f"{method} {url}: {status}: {body[:500]}")
        self.status, self.body = status, body


def call(method, url, body=None, *, token=None, data=None, headers=None,
         timeout_s=120, context=None):
    """Make one request and return the parsed answer (None if empty).

    body   object sent as JSON;  data   bytes sent as they are
    Raises HttpError for an error status, OSError if there is no answer.
    """
    headers = dict(headers or {})
    if body is not None:
        data = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, data=data, method=method,
                                     headers=headers)
    # Peers are near: no proxy that the caller's environment may name.
    handlers = [urllib.request.ProxyHandler({})]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(
                request, timeout=timeout_s) as answer:
            text = answer.read()
    except urllib.error.HTTPError as e:
        raise HttpError(method, url, e.code,
                        e.read().decode(errors="replace")) from None
    return json.loads(text) if text else None


def form(fields, file_name, file_bytes):
    """Return (body, headers) of a multipart form with one file."""
    mark = "sanctum-bed-form-boundary"
    parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{k}"'
             f"\r\n\r\n{v}\r\n".encode() for k, v in fields.items()]
    parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="file"; '
                 f'filename="{file_name}"\r\nContent-Type: application/json'
                 "\r\n\r\n".encode() + file_bytes + b"\r\n")
    parts.append(f"--{mark}--\r\n".encode())
    return b"".join(parts), {
        "Content-Type": f"multipart/form-data; boundary={mark}"}
