"""A forward HTTP proxy: what a bare machine of the bed reaches besides it.

    python3 -m bed.proxy ADDRESS PORT

Listens on that address alone and passes to the network of this machine, by
the proxies that the environment names, if any.  Plain requests, as apt makes
them, and CONNECT, as pip does; to ports 80 and 443 only.  One request a
connection: the answer's end is the end of it.
"""

import asyncio
import base64
import sys
import urllib.parse
import urllib.request

HEAD_MAX = 64 * 1024
PIECE = 256 * 1024
PORTS = (80, 443)
HOP_BY_HOP = ("connection:", "proxy-connection:", "proxy-authorization:",
              "keep-alive:")


class Refused(Exception):
    """Why a client gets a 502; nothing was answered before."""


def upstream(scheme, host):
    """Return the URL of the proxy that leads to a host, or None."""
    if urllib.request.proxy_bypass(host):
        return None
    url = urllib.request.getproxies().get(scheme)
    return urllib.parse.urlsplit(url) if url else None


def authorization(proxy):
    """Header line for a proxy whose URL has a user in it, or nothing."""
    if proxy is None or not proxy.username:
        return ""
    who = (f"{urllib.parse.unquote(proxy.username)}:"
           f"{urllib.parse.unquote(proxy.password or '')}")
    return ("Proxy-Authorization: Basic "
            f"{base64.b64encode(who.encode()).decode()}\r\n")


async def connect(host, port, proxy):
    if port not in PORTS:
        raise Refused(f"port {port} is none of {PORTS}")
    if proxy is not None:
        host, port = proxy.hostname, proxy.port or 80
    try:
        return await asyncio.open_connection(host, port)
    except OSError as e:
        raise Refused(e) from e


async def copy(reader, writer):
    """Pass on until the reader's end, then say so to the writer."""
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def tunnel(target, reader, writer):
    """CONNECT HOST:PORT"""
    host, _, port = target.rpartition(":")
    host = host.strip("[]")
    proxy = upstream("https", host)
    there, to = await connect(host, int(port), proxy)
    try:
        if proxy is not None:
            to.write((f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
                      f"{authorization(proxy)}\r\n").encode())
            answer = await there.readuntil(b"\r\n\r\n")
            if answer.split(b" ")[1:2] != [b"200"]:
                raise Refused(answer.split(b"\r\n")[0].decode())
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await asyncio.gather(copy(reader, to), copy(there, writer))
    finally:
        to.close()


async def request(method, target, head, reader, writer):
    """METHOD http://HOST/PATH, with its body, if it says how long one is."""
    url = urllib.parse.urlsplit(target)
    if url.scheme != "http" or not url.hostname:
        raise Refused(f"neither CONNECT nor a URL of http: {target}")
    proxy = upstream("http", url.hostname)
    there, to = await connect(url.hostname, url.port or 80, proxy)
    if proxy is None:
        target = url.path or "/"
        target += f"?{url.query}" if url.query else ""
    lines = [line for line in head
             if not line.lower().startswith(HOP_BY_HOP)]
    length = next((int(line.split(":")[1]) for line in lines
                   if line.lower().startswith("content-length:")), 0)
    try:
        to.write("".join(
            [f"{method} {target} HTTP/1.1\r\n"]
            + [f"{line}\r\n" for line in lines]
            + [authorization(proxy), "Connection: close\r\n\r\n"]).encode())
        to.write(await reader.readexactly(length))
        await to.drain()
        await copy(there, writer)
    finally:
        to.close()


async def serve(reader, writer):
    target = "?"
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        if method == "CONNECT":
            await tunnel(target, reader, writer)
        else:
            await request(method, target, lines, reader, writer)
        print(method, target, flush=True)
    except Refused as e:
        print("refused", target, e, flush=True)
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n"
                     b"Content-Length: 0\r\n\r\n")
    except (OSError, ValueError, asyncio.IncompleteReadError,
            asyncio.LimitOverrunError) as e:
        print("broke off", target, repr(e), flush=True)
    finally:
        writer.close()


async def main(address, port):
    server = await asyncio.start_server(serve, address, int(port),
                                        limit=HEAD_MAX)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
