"""A stand-in for an OpenAI-compatible endpoint.  No model is behind it.

    python3 -m bed.stub_llm --host 127.0.0.1 --port 15999

It answers GET /v1/models, POST /v1/chat/completions (whole or as a stream)
and POST /v1/embeddings.  Its answers depend on nothing but the request:

  chat        one sentence that quotes the user, given to send_message if
              that tool is offered; if the last message is a user's with
              "use the tool" in it and tools are offered, a call of the
              first offered tool named in the message (else the first one)
  embeddings  1536 numbers of unit length made from the text's SHA-256
"""

import argparse
import hashlib
import json
import math
import random
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DIMENSIONS = 1536
CHAT_MODEL = "gpt-4o-mini"
EMBEDDING_MODEL = "text-embedding-3-small"
TRIGGER = "use the tool"
SPEAKER = "send_message"
NOTICE = "stand-in for a language model"


def embedding(text):
    """Return the same unit vector for the same text, always."""
    numbers = random.Random(hashlib.sha256(text.encode()).digest())
    vector = [numbers.gauss(0, 1) for _ in range(DIMENSIONS)]
    length = math.sqrt(sum(x * x for x in vector))
    return [round(x / length, 6) for x in vector]


def text_of(message):
    """Return the text of a chat message, whose content has two shapes."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(p.get("text", "") for p in content)


def made_up_arguments(tool):
    """Return arguments that satisfy a tool's JSON schema."""
    schema = tool["function"].get("parameters") or {}
    samples = {"string": "stand-in", "integer": 1, "number": 1.5,
               "boolean": False, "array": [], "object": {}}
    properties = schema.get("properties") or {}
    return {name: (properties[name].get("enum") or
                   [samples.get(properties[name].get("type"), "stand-in")])[0]
            for name in schema.get("required") or []}


def choose_tool(messages, tools):
    """Return the tool to call for this conversation, or None.

    Only an unanswered user message counts: once the tool has returned, the
    last message is no longer the user's.
    """
    if not tools or not messages or messages[-1].get("role") != "user":
        return None
    asked = text_of(messages[-1])
    if TRIGGER not in asked.lower():
        return None
    named = [t for t in tools if t["function"]["name"] in asked]
    return (named or tools)[0]


def answer(request):
    """Return the assistant's message for a chat request."""
    messages, tools = request.get("messages") or [], request.get("tools")
    said = [text_of(m) for m in messages if m.get("role") == "user"]
    words = f"I am a {NOTICE}. You said: {said[-1][:200] if said else ''}"
    tool, more = choose_tool(messages, tools), {}
    if tool is None:
        # Agents of older versions speak by this tool and in no other way.
        tool = next((t for t in tools or []
                     if t["function"]["name"] == SPEAKER), None)
        more = {"message": words}
    if tool is None:
        return {"role": "assistant", "content": words}
    digest = hashlib.sha256(
        json.dumps(messages, sort_keys=True).encode()).hexdigest()[:16]
    return {"role": "assistant", "content": None, "tool_calls": [{
        "id": f"call_{digest}", "type": "function", "function": {
            "name": tool["function"]["name"],
            "arguments": json.dumps({**made_up_arguments(tool), **more})}}]}


def pieces(message):
    """Split an assistant's message into the deltas of a stream."""
    yield {"role": "assistant", "content": None if message.get("tool_calls")
           else ""}
    for i, call in enumerate(message.get("tool_calls") or []):
        yield {"tool_calls": [{"index": i, **call}]}
    for word in (message["content"] or "").split(" "):
        if word:
            yield {"content": word + " "}


class Handler(BaseHTTPRequestHandler):
    """One request; the paths are those of the real service."""

    protocol_version = "HTTP/1.1"
    server_version = "sanctum-stub-llm"

    def do_GET(self):
        if self.path.rstrip("/").endswith("/models"):
            return self.reply({"object": "list", "data": [
                {"id": m, "object": "model", "created": 0,
                 "owned_by": NOTICE, "context_window": 128000}
                for m in (CHAT_MODEL, EMBEDDING_MODEL)]})
        return self.reply({"error": {"message": "no such path"}}, 404)

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        request = json.loads(self.rfile.read(length) or b"{}")
        if self.path.endswith("/embeddings"):
            return self.embeddings(request)
        if self.path.endswith("/chat/completions"):
            return self.chat(request)
        return self.reply({"error": {"message": "no such path"}}, 404)

    def embeddings(self, request):
        texts = request.get("input")
        texts = texts if isinstance(texts, list) else [texts]
        self.reply({"object": "list", "model": request.get("model"),
                    "data": [{"object": "embedding", "index": i,
                              "embedding": embedding(str(t))}
                             for i, t in enumerate(texts)],
                    "usage": {"prompt_tokens": 1, "total_tokens": 1}})

    def chat(self, request):
        message = answer(request)
        finish = "tool_calls" if message.get("tool_calls") else "stop"
        head = {"id": "chatcmpl-stand-in", "created": int(time.time()),
                "model": request.get("model") or CHAT_MODEL}
        usage = {"prompt_tokens": 10, "completion_tokens": 10,
                 "total_tokens": 20}
        if not request.get("stream"):
            return self.reply({
                **head, "object": "chat.completion", "usage": usage,
                "choices": [{"index": 0, "message": message,
                             "finish_reason": finish}]})
        chunks = [[{"index": 0, "delta": d, "finish_reason": None}]
                  for d in pieces(message)]
        chunks.append([{"index": 0, "delta": {}, "finish_reason": finish}])
        return self.stream([{**head, "object": "chat.completion.chunk",
                             "choices": c} for c in chunks]
                           + [{**head, "object": "chat.completion.chunk",
                               "choices": [], "usage": usage}])

    def stream(self, events):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for event in [*map(json.dumps, events), "[DONE]"]:
            self.wfile.write(f"data: {event}\n\n".encode())
            self.wfile.flush()

    def reply(self, body, status=200):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, form, *args):
        sys.stderr.write("stub: " + form % args + "\n")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=15999)
    chosen = options.parse_args()
    Server((chosen.host, chosen.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
