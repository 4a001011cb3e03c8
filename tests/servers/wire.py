"""As much of HTTP/1.1 as fault.py needs: connections that are counted, requests that are parsed, answers that are
honest. What is dishonest stands in fault.py, which writes to the connection by itself.

A handler runs for as long as its client is there: when the client closes the connection, it is cancelled wherever it
waits, and the counts of `Server` tell that at once.
"""

import asyncio
import contextlib
import http
import json
import socket
import struct
import sys
import traceback
import urllib.parse

LIMIT = 1 << 20  # bytes of a request's head; also what is read ahead of a body


class Reader(asyncio.StreamReader):
    """Tells at once that the other side has closed, without being read."""

    def __init__(self):
        super().__init__(limit=LIMIT)
        self.gone = asyncio.Event()

    def feed_eof(self):
        super().feed_eof()
        self.gone.set()

    def set_exception(self, exc, *rest):
        super().set_exception(exc, *rest)
        self.gone.set()


class Request:
    """What the head of a request says."""

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ")
        parts = urllib.parse.urlsplit(self.target)
        self.path = parts.path
        self.pairs = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
        self.query = dict(self.pairs)
        self.headers = []  # pairs, in their order and with their case
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if colon:
                self.headers.append((name, value.strip()))

    def header(self, name, default=""):
        return next((value for key, value in self.headers if key.lower() == name), default)

    def integer(self, name, default):
        return int(self.query.get(name, default))

    def number(self, name, default):
        return float(self.query.get(name, default))

    @property
    def expects(self):
        return self.header("expect").lower() == "100-continue"

    @property
    def keeps(self):
        return self.version == "HTTP/1.1" and self.header("connection").lower() != "close"


class Connection:
    """One client. Handlers get it together with the request."""

    def __init__(self, server, number, reader, writer):
        self.server = server
        self.number = number  # the first is 1
        self.requests = 0  # how many came so far, this one included
        self.reader = reader
        self.writer = writer
        self.keep = True  # a handler sets False to have the connection closed after it

    # ---- what handlers call ----

    async def send(self, *pieces):
        """Writes bytes as they are, and lets others run."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def reply(self, request, body=b"", code=200, headers=()):
        """An honest answer. The body is bytes, text, or what JSON can hold; headers are pairs."""
        kind = "application/octet-stream"
        if isinstance(body, str):
            body, kind = body.encode(), "text/plain; charset=utf-8"
        elif not isinstance(body, bytes):
            body, kind = json.dumps(body).encode() + b"\n", "application/json"
        fields = list(headers)
        if code >= 200 and code not in (204, 304):
            fields += [("Content-Type", kind), ("Content-Length", len(body))]
        else:
            body = b""
        await self.head(request, code, fields)
        if request.method != "HEAD":
            await self.send(body)

    async def head(self, request, code, headers):
        """The status line and these headers, nothing else."""
        self.keep = self.keep and request.keeps
        try:
            phrase = http.HTTPStatus(code).phrase
        except ValueError:
            phrase = "Unknown"
        fields = list(headers)
        if not self.keep:
            fields.append(("Connection", "close"))
        lines = [f"HTTP/1.1 {code} {phrase}"] + [f"{name}: {value}" for name, value in fields]
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def body(self, request):
        """The body of the request, in pieces. Tells a client to send it that asked whether it should."""
        self.unread = False
        if request.expects:
            await self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request.header("transfer-encoding").lower() == "chunked":
            while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
                async for piece in self.exactly(size):
                    yield piece
                await self.reader.readexactly(2)
            while await self.reader.readuntil(b"\r\n") != b"\r\n":
                pass  # trailers
        else:
            async for piece in self.exactly(int(request.header("content-length", "0"))):
                yield piece

    def reset(self):
        """Ends the connection with RST: the other side loses what it has not read."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    # ---- what the server calls ----

    async def serve(self):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while self.keep and await self.one_request():
                pass
        if self.reader.gone.is_set():
            self.writer.transport.abort()  # nobody reads what is left
        else:
            self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def one_request(self):
        """False if the client left before it was over."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        try:
            request = Request(head)
        except ValueError:
            self.keep = False
            await self.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return True
        self.unread = True
        with self.server.in_progress(request):
            handler = asyncio.ensure_future(self.handle(request))
            gone = asyncio.ensure_future(self.reader.gone.wait())
            await asyncio.wait({handler, gone}, return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
            handler.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await handler
        return not self.reader.gone.is_set()

    async def handle(self, request):
        try:
            await self.server.handler(self, request)
            if self.keep and self.unread and request.expects:
                self.keep = False  # it may or may not send the body now
            elif self.keep and self.unread:
                async for _ in self.body(request):
                    pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.keep = False
        except ValueError as e:
            self.keep = False
            await self.reply(request, f"{e}\n", 400)
        except Exception:  # a mistake in a handler
            traceback.print_exc(file=sys.stderr)
            self.keep = False

    async def exactly(self, size):
        while size > 0:
            piece = await self.reader.read(min(size, 1 << 16))
            if not piece:
                raise ConnectionError("the body is cut")
            size -= len(piece)
            yield piece


class Server:
    """Listens on 127.0.0.1, gives each request to handler(connection, request), and counts.

    open, ever     connections: now, and since the start
    requests       since the start
    progress       requests being handled now
    Requests for the paths in `uncounted` are in neither of the last two.
    """

    def __init__(self, handler, uncounted=()):
        self.handler = handler
        self.uncounted = uncounted
        self.open = self.ever = self.requests = self.progress = 0
        self.changed = asyncio.Event()  # replaced at each change

    async def listen(self, port=0):
        """Returns the port."""
        loop = asyncio.get_running_loop()
        self.listener = await loop.create_server(self.protocol, "127.0.0.1", port, backlog=4096)
        return self.listener.sockets[0].getsockname()[1]

    def protocol(self):
        return asyncio.StreamReaderProtocol(Reader(), self.connected)

    async def connected(self, reader, writer):
        self.open += 1
        self.ever += 1
        self.tell()
        try:
            await Connection(self, self.ever, reader, writer).serve()
        finally:
            self.open -= 1
            self.tell()

    @contextlib.contextmanager
    def in_progress(self, request):
        count = request.path not in self.uncounted
        self.requests += count
        self.progress += count
        self.tell()
        try:
            yield
        finally:
            self.progress -= count
            self.tell()

    def tell(self):
        self.changed.set()
        self.changed = asyncio.Event()

    async def until(self, condition, seconds):
        """Waits until the condition holds, at most so long."""

        async def wait():
            while not condition():
                await self.changed.wait()

        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(wait(), seconds)
