"""A small web site for the tests of scripts/crawl.lua and scripts/poll.lua. Prints its port, and ends with its stdin."""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGES = {
    "/": '<title>Tide &amp; mill</title><a href="a.html#top">a</a> <a href="/a.html?">a again</a> <a href="b/">b</a>'
         '<a href="old">moved</a> <a href="https://example.org/">far</a> <a href="mailto:a@example.org">mail</a>'
         '<img src="pic.png">',
    "/a.html": '<title>A</title><a href="/">home</a> <a href="gone.html">gone</a> <a href=private/x.html>private</a>',
    "/a.html?": '<title>A with an empty query</title>',
    "/b/": '<title>B</title><base href="/c/"><a href="d.html">d</a> <a href="../gone.html">gone</a>'
           '<a href="/round">round</a>',
    "/c/d.html": '<title>D\xe9</title><a href="/slow">slow</a>',
    "/private/x.html": "<title>private</title>",
    "/new": "<title>New</title>",
    "/hung/": '<title>Hung</title><a href="/hang">x</a> <a href="/new">y</a>',
    "/plain.html": "",
}
MOVED = {"/old": "/new", "/round": "/round2", "/round2": "/round", "/start": "/new", "/far": "http://127.0.0.1:1/"}
for i in range(20):
    MOVED[f"/chain/{i}"] = f"/chain/{i + 1}"

requests = {}  # by path
release = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet

    def answer(self, status, kind, body, **headers):
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path = self.path
        count = requests[path] = requests.get(path, 0) + 1
        if path == "/robots.txt":
            self.answer(200, "text/plain", b"User-agent: *\nDisallow: /private/\n")
        elif path == "/requests":  # what was asked for until now
            self.answer(200, "text/plain", "".join(f"{p} {n}\n" for p, n in sorted(requests.items())).encode())
        elif path in MOVED:
            self.answer(302, "text/html", b"moved", Location=MOVED[path])
        elif path == "/slow":
            time.sleep(0.2)
            self.answer(200, "text/html; charset=utf-8", b"<title>Slow</title>")
        elif path == "/hang":
            release.wait(60)
            self.answer(200, "text/html", b"")
        elif path.startswith("/endless/"):  # a page that leads to two more, for ever
            page = f"<title>{path}</title><a href='{path}0'>l</a><a href='{path}1'>r</a>"
            self.answer(200, "text/html", page.encode())
        elif path == "/pic.png":
            self.answer(200, "image/png", b"<a href='/no-page-links-this'>")
        elif path == "/broken":
            self.answer(500, "text/html", b"<a href='/no-page-links-this'>")
        elif path == "/changing.json":
            item = {"name": "tide", "price": 2 + count}
            items = [item, {"new": True}] if count == 3 else [item]
            self.answer(200, "application/json", json.dumps({"items": items}).encode())
        elif path == "/same.json":
            if self.headers.get("If-None-Match") == '"v1"':
                requests[path + " unchanged"] = requests.get(path + " unchanged", 0) + 1
                self.answer(304, None, b"", ETag='"v1"')
            else:
                self.answer(200, "application/json", b'{"a": 1}', ETag='"v1"')
        elif path == "/slow.json":
            time.sleep(0.2)
            self.answer(200 if self.headers.get("X-Slow") else 400, "application/json", b"{}")
        elif path == "/flaky.json":
            good = count not in (2, 3)
            self.answer(200 if good else 503, "application/json", b'{"up": true}' if good else b"down")
        elif path in PAGES:
            self.answer(200, "text/html", PAGES[path].encode("latin-1"))
        else:
            self.answer(404, "text/html", b"<a href='/no-page-links-this'>not here</a>")

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
