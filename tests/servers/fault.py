#!/usr/bin/env python3
"""A server of HTTP/1.1 on 127.0.0.1 that misbehaves, with one path for each fault.

    python3 tests/servers/fault.py [PORT]

It prints its port as its first line, and ends when its stdin closes or when /quit is asked for. Only the standard
library of Python is needed. Values after ? are optional, and stand here with what they are when left out. What
does not say that it closes the connection keeps it.

Cut off
    /close-early                 Content-Length: 1000; closes after 500 bytes
    /close-in-headers            closes in the middle of a header line
    /close-at-once               closes without a byte. On a connection that was used before, clients may try again
    /reset?bytes=0               ends with RST, after so many of 1000 bytes
    /chunk-cut                   a chunk of 16 bytes of which 4 come; closes
    /gzip-cut                    the first half of what gzip made; Content-Length is that of the half

Slow
    /trickle?bytes=10&every=0.1  one byte each so many seconds
    /stall                       headers and 500 of 1000 bytes, then silence
    /never                       no answer; a body is not read
    /slow?seconds=1              answers "slow" after so long

Wrong
    /length-lies-short           Content-Length: 5, and 16 bytes; keeps the connection, on which the rest then stands
    /length-negative             Content-Length: -1; closes
    /length-twice                Content-Length: 5 and Content-Length: 10, and 10 bytes; closes
    /endless-headers             header lines for ever
    /huge-header?size=100000     a header X-Huge of so many bytes
    /bad-chunks                  a chunk whose size is "zz"; closes
    /bad-gzip                    Content-Encoding: gzip, and a body that is none
    /bad-status-line             the status line is "HELLO WORLD"; closes
    /http09                      a body without status line and headers; closes

Big
    /big?bytes=1048576           so many bytes: lines of 64, "0000000 0123..." with their number modulo 16384. It is as
                                 cheap for 10 GB as for 1 KB
    /gzip-bomb?mb=10             inflates to so many MiB of zeros; a thousandth of that is sent
    /chunked?n=10&size=10&every=0  so many chunks of so many bytes, with a pause before each
    /lines?n=10&every=0          "line 1\\n", "line 2\\n"..., chunked and in odd pieces, with a pause before each line

Redirects, all 302 where nothing else is said
    /redirect-loop               to itself
    /redirect-chain?n=3          to itself with n - 1; "the end" at 0
    /redirect-to?url=/echo&code=302
    /redirect-no-location        without Location
    /redirect-bad-location       Location: http://[no/

Well behaved
    /                            this text
    /status?code=200             that code, with a text where it may have one
    /retry?key=&fail=1&code=503&after=  fails so many times for each key, with Retry-After where `after` is given; then
                                 200. JSON: {"key", "count"}, the first time is 1
    /echo                        JSON: {"method", "target", "path", "headers": [[name, value]...], "length"}, and "body"
                                 as text or "body_base64" where it is no UTF-8. Headers keep their order and case
    /set-cookie?NAME=VALUE...    a Set-Cookie for each; a VALUE may go on with "; Path=/x". JSON: {"cookie"}, what came
    /1xx                         100 and 103 before 200
    /no-content                  204
    /keep-alive-count            JSON: {"connection", "requests"}: its number, and how many requests came on it
    /close-after                 200 with Connection: close; closes
    /upload-count                reads the body. JSON: {"bytes", "sha256", "expect"}
    /expect?code=100&after=0     what Expect: 100-continue gets, after so many seconds. 100: goes on as /upload-count.
                                 Another code is the answer, with the body left unread; closes
    /wait-connections?open=&ever=&requests=&in_progress=&seconds=5
                                 JSON of these four: connections open now, those that ever were, requests that ever were
                                 and that are in progress. Where values are given, it first waits until all are
                                 exactly so, at most so many seconds. These requests themselves are not counted; their
                                 connections are
    /quit                        answers "bye" and ends the server
"""

import asyncio
import base64
import gzip
import hashlib
import os
import resource
import sys
import threading
import zlib

import wire

PATHS = {}
BLOCK = b"".join(b"%07d 0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRS\n" % i for i in range(16384))
MIB = 1 << 20
tries = {}  # of /retry, by key


def path(name):
    def add(handler):
        PATHS[name] = handler
        return handler

    return add


def raw(name, *pieces):
    """A path that sends these bytes, whatever it is asked, and closes the connection."""

    async def handler(connection, request):
        connection.keep = False
        await connection.send(*pieces)

    PATHS[name] = handler


# ---- cut off ----

raw("/close-early", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x" * 500)
raw("/close-in-headers", b"HTTP/1.1 200 OK\r\nContent-Type: text/pl")
raw("/close-at-once")
raw("/chunk-cut", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf")


@path("/reset")
async def reset(connection, request):
    size = request.integer("bytes", 0)
    if size:
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x" * size)
    connection.keep = False
    connection.reset()


@path("/gzip-cut")
async def gzip_cut(connection, request):
    whole = gzip.compress(BLOCK[:10000])
    await connection.reply(request, whole[: len(whole) // 2], headers=[("Content-Encoding", "gzip")])


# ---- slow ----


@path("/trickle")
async def trickle(connection, request):
    size, pause = request.integer("bytes", 10), request.number("every", 0.1)
    await connection.head(request, 200, [("Content-Type", "text/plain"), ("Content-Length", size)])
    for _ in range(size):
        await asyncio.sleep(pause)
        await connection.send(b".")


@path("/stall")
async def stall(connection, request):
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x" * 500)
    await asyncio.Event().wait()


@path("/never")
async def never(connection, request):
    await asyncio.Event().wait()


@path("/slow")
async def slow(connection, request):
    await asyncio.sleep(request.number("seconds", 1))
    await connection.reply(request, "slow\n")


# ---- wrong ----

raw("/length-negative", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello")
raw("/length-twice", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 10\r\n\r\n0123456789")
raw("/bad-chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n")
raw("/bad-status-line", b"HELLO WORLD\r\nContent-Length: 5\r\n\r\nhello")
raw("/http09", b"<html>no headers at all</html>\n")


@path("/length-lies-short")
async def length_lies_short(connection, request):
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n0123456789abcdef")


@path("/endless-headers")
async def endless_headers(connection, request):
    await connection.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await connection.send(b"X-More: and so it goes on\r\n" * 100)


@path("/huge-header")
async def huge_header(connection, request):
    await connection.reply(request, "huge\n", headers=[("X-Huge", "h" * request.integer("size", 100000))])


@path("/bad-gzip")
async def bad_gzip(connection, request):
    await connection.reply(request, b"this is not what gzip makes", headers=[("Content-Encoding", "gzip")])


# ---- big ----


@path("/big")
async def big(connection, request):
    size = request.integer("bytes", MIB)
    await connection.head(request, 200, [("Content-Type", "text/plain"), ("Content-Length", size)])
    while size > 0 and request.method != "HEAD":
        await connection.send(memoryview(BLOCK)[: min(size, len(BLOCK))])
        size -= len(BLOCK)


@path("/gzip-bomb")
async def gzip_bomb(connection, request):
    count = request.integer("mb", 10)
    zeros = bytes(MIB)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)  # may be repeated: it refers to nothing before it
    end = packer.flush(zlib.Z_FINISH)
    check = 0
    for _ in range(count):
        check = zlib.crc32(zeros, check)
        await asyncio.sleep(0)
    begin = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
    end += check.to_bytes(4, "little") + (count * MIB % (1 << 32)).to_bytes(4, "little")
    size = len(begin) + count * len(packed) + len(end)
    await connection.head(request, 200, [("Content-Encoding", "gzip"), ("Content-Length", size)])
    await connection.send(begin)
    for _ in range(count):
        await connection.send(packed)
    await connection.send(end)


async def send_chunks(connection, request, pieces, pause):
    await connection.head(request, 200, [("Content-Type", "text/plain"), ("Transfer-Encoding", "chunked")])
    for piece in pieces:
        if pause:
            await asyncio.sleep(pause)
        await connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    await connection.send(b"0\r\n\r\n")


@path("/chunked")
async def chunked(connection, request):
    piece = BLOCK[: request.integer("size", 10)]
    pieces = (piece for _ in range(request.integer("n", 10)))
    await send_chunks(connection, request, pieces, request.number("every", 0))


@path("/lines")
async def lines(connection, request):
    """Where there is no pause, a piece ends anywhere in a line."""

    def odd_pieces(count, size=1021):
        rest = b""
        for i in range(1, count + 1):
            rest += b"line %d\n" % i
            while len(rest) >= size:
                yield rest[:size]
                rest = rest[size:]
        if rest:
            yield rest

    count, pause = request.integer("n", 10), request.number("every", 0)
    pieces = (b"line %d\n" % i for i in range(1, count + 1)) if pause else odd_pieces(count)
    await send_chunks(connection, request, pieces, pause)


# ---- redirects ----


async def redirect(connection, request, location, code=302):
    await connection.reply(request, f"see {location}\n", code, [("Location", location)])


@path("/redirect-loop")
async def redirect_loop(connection, request):
    await redirect(connection, request, "/redirect-loop")


@path("/redirect-chain")
async def redirect_chain(connection, request):
    count = request.integer("n", 3)
    if count > 0:
        await redirect(connection, request, f"/redirect-chain?n={count - 1}")
    else:
        await connection.reply(request, "the end\n")


@path("/redirect-to")
async def redirect_to(connection, request):
    await redirect(connection, request, request.query.get("url", "/echo"), request.integer("code", 302))


@path("/redirect-no-location")
async def redirect_no_location(connection, request):
    await connection.reply(request, "nowhere\n", 302)


@path("/redirect-bad-location")
async def redirect_bad_location(connection, request):
    await redirect(connection, request, "http://[no/")


# ---- well behaved ----


@path("/")
async def index(connection, request):
    await connection.reply(request, __doc__)


@path("/status")
async def status(connection, request):
    code = request.integer("code", 200)
    await connection.reply(request, f"status {code}\n", code)


@path("/retry")
async def retry(connection, request):
    key = request.query.get("key", "")
    tries[key] = count = tries.get(key, 0) + 1
    failed = count <= request.integer("fail", 1)
    code = request.integer("code", 503) if failed else 200
    after = request.query.get("after") if failed else None
    await connection.reply(request, {"key": key, "count": count}, code, [("Retry-After", after)] if after else [])


@path("/echo")
async def echo(connection, request):
    body = b"".join([piece async for piece in connection.body(request)])
    answer = {
        "method": request.method,
        "target": request.target,
        "path": request.path,
        "headers": request.headers,
        "length": len(body),
    }
    try:
        answer["body"] = body.decode()
    except UnicodeDecodeError:
        answer["body_base64"] = base64.b64encode(body).decode()
    await connection.reply(request, answer)


@path("/set-cookie")
async def set_cookie(connection, request):
    cookies = [("Set-Cookie", f"{name}={value}") for name, value in request.pairs]
    await connection.reply(request, {"cookie": request.header("cookie")}, headers=cookies)


@path("/1xx")
async def informational(connection, request):
    await connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    await connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
    await connection.reply(request, "after 100 and 103\n")


@path("/no-content")
async def no_content(connection, request):
    await connection.reply(request, code=204)


@path("/keep-alive-count")
async def keep_alive_count(connection, request):
    await connection.reply(request, {"connection": connection.number, "requests": connection.requests})


@path("/close-after")
async def close_after(connection, request):
    connection.keep = False
    await connection.reply(request, "closing\n")


@path("/upload-count")
async def upload_count(connection, request):
    size, digest = 0, hashlib.sha256()
    async for piece in connection.body(request):
        size += len(piece)
        digest.update(piece)
    await connection.reply(request, {"bytes": size, "sha256": digest.hexdigest(), "expect": request.expects})


@path("/expect")
async def expect(connection, request):
    code = request.integer("code", 100)
    await asyncio.sleep(request.number("after", 0))
    if code == 100:
        await upload_count(connection, request)
    else:
        connection.keep = False
        await connection.reply(request, "do not send it\n", code)


@path("/wait-connections")
async def wait_connections(connection, request):
    server = connection.server
    names = ("open", "ever", "requests", "in_progress")
    wanted = {name: int(request.query[name]) for name in names if request.query.get(name)}

    def counts():
        return dict(zip(names, (server.open, server.ever, server.requests, server.progress)))

    await server.until(lambda: wanted.items() <= counts().items(), request.number("seconds", 5))
    await connection.reply(request, counts())


@path("/quit")
async def leave(connection, request):
    connection.keep = False
    await connection.reply(request, "bye\n")
    os._exit(0)


# ---- the program ----


async def handle(connection, request):
    handler = PATHS.get(request.path)
    if handler:
        await handler(connection, request)
    else:
        await connection.reply(request, f"no such path: {request.path}\n", 404)


def end_with_stdin():
    while os.read(0, 4096):
        pass
    os._exit(0)


async def main():
    server = wire.Server(handle, uncounted=["/wait-connections"])
    port = await server.listen(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(port, flush=True)
    threading.Thread(target=end_with_stdin, daemon=True).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(main())
