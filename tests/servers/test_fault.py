#!/usr/bin/env python3
"""Each path of fault.py does what its documentation says. The last test is that no path was left out."""

import base64
import gzip
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import unittest
import urllib.parse
import zlib

import fault

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 30  # seconds that anything may take
MOMENT = 0.1  # seconds after which a test may say "it is still silent"
asked = set()  # paths


class Client:
    """A connection, on which requests are written as they are, and what comes is read with few assumptions."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def ask(self, target, *headers, method="GET", body=b""):
        asked.add(urllib.parse.urlsplit(target).path)
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *headers]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body)

    def head(self):
        """The status code, and the headers as pairs."""
        code = int(self.file.readline().split()[1])
        headers = []
        while (line := self.file.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name, value.strip()))
        return code, headers

    def answer(self, *args, **named):
        """Asks; returns the code, the headers as a table, and the body."""
        self.ask(*args, **named)
        code, headers = self.head()
        headers = dict(headers)
        if headers.get("Transfer-Encoding") == "chunked":
            return code, headers, b"".join(self.chunks())
        return code, headers, self.file.read(int(headers.get("Content-Length", 0)))

    def json(self, *args, **named):
        return json.loads(self.answer(*args, **named)[2])

    def chunks(self):
        while size := int(self.file.readline(), 16):
            yield self.file.read(size)
            self.file.readline()
        self.file.readline()

    def silent(self):
        """Whether nothing comes, for a moment."""
        self.socket.settimeout(MOMENT)
        try:
            self.socket.recv(1)
            return False
        except socket.timeout:
            return True


def start_server():
    """Its process, and the port."""
    process = subprocess.Popen([sys.executable, os.path.join(HERE, "fault.py")], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    return process, int(process.stdout.readline())


def await_end(process):
    """Its exit code."""
    code = process.wait(LIMIT)
    process.stdin.close()
    process.stdout.close()
    return code


class FaultTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.process, cls.port = start_server()

    @classmethod
    def tearDownClass(cls):
        cls.process.kill()
        await_end(cls.process)

    def setUp(self):
        self.client = Client(self.port)
        self.addCleanup(self.client.close)

    def answer(self, *args, **named):
        return self.client.answer(*args, **named)

    def everything(self, target):
        """All bytes until the server closes."""
        self.client.ask(target)
        return self.client.file.read()

    # ---- cut off ----

    def test_close_early(self):
        head, _, body = self.everything("/close-early").partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: 1000", head)
        self.assertEqual(500, len(body))

    def test_close_in_headers(self):
        self.assertNotIn(b"\r\n\r\n", self.everything("/close-in-headers"))

    def test_close_at_once(self):
        self.assertEqual(b"", self.everything("/close-at-once"))

    def test_reset(self):
        with self.assertRaises(ConnectionResetError):
            self.everything("/reset")

    def test_reset_in_the_body(self):
        self.client.ask("/reset?bytes=10")
        with self.assertRaises(ConnectionResetError):
            while self.client.file.read1():
                pass

    def test_chunk_cut(self):
        self.assertTrue(self.everything("/chunk-cut").endswith(b"\r\n\r\n10\r\nhalf"))

    def test_gzip_cut(self):
        _, headers, body = self.answer("/gzip-cut")
        self.assertEqual("gzip", headers["Content-Encoding"])
        with self.assertRaises(EOFError):
            gzip.decompress(body)

    # ---- slow ----

    def test_trickle(self):
        start = time.monotonic()
        self.assertEqual(b"....", self.answer("/trickle?bytes=4&every=0.05")[2])
        self.assertGreaterEqual(time.monotonic() - start, 0.2)

    def test_stall(self):
        self.client.ask("/stall")
        self.assertEqual((200, [("Content-Length", "1000")]), self.client.head())
        self.assertEqual(b"x" * 500, self.client.file.read(500))
        self.assertTrue(self.client.silent())

    def test_never(self):
        self.client.ask("/never")
        self.assertTrue(self.client.silent())

    def test_slow(self):
        start = time.monotonic()
        self.assertEqual(b"slow\n", self.answer("/slow?seconds=0.1")[2])
        self.assertGreaterEqual(time.monotonic() - start, 0.1)

    # ---- wrong ----

    def test_length_lies_short(self):
        self.assertEqual(b"01234", self.answer("/length-lies-short")[2])
        self.client.ask("/echo")
        self.assertTrue(self.client.file.readline().startswith(b"56789abcdefHTTP/1.1 200"))

    def test_length_negative(self):
        self.assertIn(b"\r\nContent-Length: -1\r\n", self.everything("/length-negative"))

    def test_length_twice(self):
        everything = self.everything("/length-twice")
        self.assertEqual([b"5", b"10"], re.findall(rb"Content-Length: (\d+)", everything))
        self.assertTrue(everything.endswith(b"\r\n\r\n0123456789"))

    def test_endless_headers(self):
        self.client.ask("/endless-headers")
        some = self.client.file.read(1 << 22)
        self.assertEqual(1 << 22, len(some))
        self.assertNotIn(b"\r\n\r\n", some)

    def test_huge_header(self):
        self.assertEqual(300000, len(self.answer("/huge-header?size=300000")[1]["X-Huge"]))

    def test_bad_chunks(self):
        self.assertIn(b"\r\n\r\nzz\r\n", self.everything("/bad-chunks"))

    def test_bad_gzip(self):
        _, headers, body = self.answer("/bad-gzip")
        self.assertEqual("gzip", headers["Content-Encoding"])
        with self.assertRaises(gzip.BadGzipFile):
            gzip.decompress(body)

    def test_bad_status_line(self):
        self.assertTrue(self.everything("/bad-status-line").startswith(b"HELLO WORLD\r\n"))

    def test_http09(self):
        self.assertEqual(b"<html>no headers at all</html>\n", self.everything("/http09"))

    # ---- big ----

    def test_big(self):
        body = self.answer("/big?bytes=2500000")[2]
        self.assertEqual(2500000, len(body))
        for i in (0, 1, 16383, 16384, 39000):
            self.assertEqual(b"%07d 0123" % (i % 16384), body[64 * i : 64 * i + 12])

    def test_big_head(self):
        self.client.ask("/big?bytes=10000000000", method="HEAD")
        self.assertIn(("Content-Length", "10000000000"), self.client.head()[1])
        self.assertEqual(204, self.answer("/no-content")[0])

    def test_big_without_an_end(self):
        self.client.ask("/big?bytes=10000000000")
        self.client.head()
        self.assertEqual(1 << 24, len(self.client.file.read(1 << 24)))

    def test_gzip_bomb(self):
        body = self.answer("/gzip-bomb?mb=20")[2]
        self.assertLess(len(body), 30000)
        self.assertEqual(bytes(20 << 20), gzip.decompress(body))
        self.assertEqual(b"", gzip.decompress(self.answer("/gzip-bomb?mb=0")[2]))
        self.assertEqual(bytes(1 << 20), zlib.decompress(self.answer("/gzip-bomb?mb=1")[2], 31))

    def test_chunked(self):
        self.client.ask("/chunked?n=3&size=7&every=0.01")
        self.client.head()
        self.assertEqual([b"0000000"] * 3, list(self.client.chunks()))

    def test_lines(self):
        wanted = b"".join(b"line %d\n" % i for i in range(1, 1001))
        self.assertEqual(wanted, self.answer("/lines?n=1000")[2])
        self.assertEqual(wanted[:14], self.answer("/lines?n=2&every=0.01")[2])
        self.assertEqual(b"", self.answer("/lines?n=0")[2])

    # ---- redirects ----

    def redirects(self, target, location, code=302):
        got, headers, _ = self.answer(target)
        self.assertEqual((code, location), (got, headers.get("Location")))

    def test_redirects(self):
        self.redirects("/redirect-loop", "/redirect-loop")
        self.redirects("/redirect-chain?n=2", "/redirect-chain?n=1")
        self.redirects("/redirect-chain?n=1", "/redirect-chain?n=0")
        self.assertEqual((200, b"the end\n"), self.answer("/redirect-chain?n=0")[::2])
        self.redirects("/redirect-to", "/echo")
        self.redirects("/redirect-to?code=307&url=http%3A%2F%2Fa.test%2F%3Fb%3Dc", "http://a.test/?b=c", 307)
        self.redirects("/redirect-no-location", None)
        self.redirects("/redirect-bad-location", "http://[no/")

    # ---- well behaved ----

    def test_index_and_unknown_paths(self):
        self.assertIn(b"/close-early", self.answer("/")[2])
        self.assertEqual(404, self.answer("/no-such-path")[0])
        asked.discard("/no-such-path")

    def test_status(self):
        for code in (200, 201, 299, 304, 404, 418, 500, 599):
            got, _, body = self.answer(f"/status?code={code}")
            self.assertEqual((code, b"" if code == 304 else b"status %d\n" % code), (got, body))

    def test_retry(self):
        target = "/retry?key=a&fail=2&code=429&after=3"
        self.assertEqual("3", self.answer(target)[1]["Retry-After"])
        code, _, body = self.answer(target)
        self.assertEqual((429, {"key": "a", "count": 2}), (code, json.loads(body)))
        code, headers, body = self.answer(target)
        self.assertEqual((200, 3), (code, json.loads(body)["count"]))
        self.assertNotIn("Retry-After", headers)
        code, headers, _ = self.answer("/retry?key=b")
        self.assertEqual((503, None), (code, headers.get("Retry-After")))

    def test_echo(self):
        got = self.client.json("/echo?a=%20b", "x-lower: 1", "X-Upper: 2", "x-lower: 3", "Content-Length: 5", method="PATCH",
                               body=b"h\xc3\xa9l\n")
        self.assertEqual(["PATCH", "/echo?a=%20b", "/echo", 5, "hél\n"],
                         [got[k] for k in ("method", "target", "path", "length", "body")])
        self.assertEqual([["Host", "localhost"], ["x-lower", "1"], ["X-Upper", "2"], ["x-lower", "3"],
                          ["Content-Length", "5"]], got["headers"])

    def test_echo_of_bytes(self):
        got = self.client.json("/echo", "Transfer-Encoding: chunked", method="POST",
                               body=b"3;x=y\r\n\xff\0\r\r\n1\r\nz\r\n0\r\nTrailer: t\r\n\r\n")
        self.assertEqual(b"\xff\0\rz", base64.b64decode(got["body_base64"]))
        self.assertEqual(204, self.answer("/no-content")[0])

    def test_set_cookie(self):
        self.client.ask("/set-cookie?a=1&b=2%3B%20Path%3D/x", "Cookie: old=0")
        _, headers = self.client.head()
        self.assertEqual(["a=1", "b=2; Path=/x"], [value for name, value in headers if name == "Set-Cookie"])
        self.assertEqual({"cookie": "old=0"}, json.loads(self.client.file.readline()))

    def test_1xx(self):
        self.client.ask("/1xx")
        self.assertEqual((100, []), self.client.head())
        self.assertEqual((103, [("Link", "</style.css>; rel=preload")]), self.client.head())
        self.assertEqual(200, self.client.head()[0])

    def test_no_content(self):
        self.assertEqual((204, {}, b""), self.answer("/no-content"))

    def test_keep_alive_count(self):
        first = self.client.json("/keep-alive-count")
        self.assertEqual(1, first["requests"])
        self.assertEqual(dict(first, requests=2), self.client.json("/keep-alive-count"))
        with Client(self.port) as other:
            self.assertEqual(first["connection"] + 1, other.json("/keep-alive-count")["connection"])

    def test_close_after(self):
        everything = self.everything("/close-after")
        self.assertIn(b"\r\nConnection: close\r\n", everything)
        self.assertTrue(everything.endswith(b"closing\n"))

    def test_closes_when_asked_to(self):
        self.client.ask("/echo", "Connection: close")
        self.assertTrue(self.client.file.read().endswith(b"}\n"))

    def test_upload_count(self):
        body = os.urandom(3000000)
        got = self.client.json("/upload-count", f"Content-Length: {len(body)}", method="PUT", body=body)
        self.assertEqual({"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), "expect": False}, got)

    def test_body_that_nobody_reads(self):
        self.assertEqual(200, self.answer("/status", "Content-Length: 100000", method="POST", body=b"x" * 100000)[0])
        self.assertEqual(204, self.answer("/no-content")[0])

    def test_expect(self):
        expects = ("Expect: 100-continue", "Content-Length: 3")
        self.client.ask("/expect?after=0.01", *expects, method="POST")
        self.assertEqual((100, []), self.client.head())
        self.client.socket.sendall(b"abc")
        code, headers = self.client.head()
        got = json.loads(self.client.file.read(int(dict(headers)["Content-Length"])))
        self.assertEqual((200, 3, True), (code, got["bytes"], got["expect"]))
        self.client.ask("/expect?code=417", *expects, method="POST")
        self.assertTrue(self.client.file.read().startswith(b"HTTP/1.1 417 "))

    def test_bad_requests(self):
        self.assertEqual(400, self.answer("/big?bytes=many")[0])
        with Client(self.port) as other:
            other.socket.sendall(b"nonsense\r\n\r\n")
            self.assertTrue(other.file.read().startswith(b"HTTP/1.1 400 "))

    def test_wait_connections_sees_a_client_that_leaves(self):
        before = self.client.json("/wait-connections?open=1&in_progress=0")
        self.assertEqual((1, 0), (before["open"], before["in_progress"]))
        for target in ("/never", "/stall", "/big?bytes=10000000000", "/endless-headers", "/slow?seconds=1000"):
            before = self.client.json("/wait-connections?open=1&in_progress=0")
            with Client(self.port) as other:
                other.ask(target)
                during = self.client.json(f"/wait-connections?in_progress=1&requests={before['requests'] + 1}")
                self.assertEqual([2, before["ever"] + 1, before["requests"] + 1, 1], list(during.values()), target)
            after = self.client.json("/wait-connections?in_progress=0&open=1")
            self.assertEqual([1, 0], [after["open"], after["in_progress"]], target)

    def test_wait_connections_waits_no_longer_than_asked(self):
        start = time.monotonic()
        self.client.json("/wait-connections?open=1000&seconds=0.05")
        self.assertGreaterEqual(time.monotonic() - start, 0.05)

    def test_many_connections(self):
        clients = [Client(self.port) for _ in range(200)]
        for client in clients:
            client.ask("/slow?seconds=0.1")
        for client in clients:
            self.assertEqual(200, client.head()[0])
            client.close()

    # ---- the program ----

    def test_quit(self):
        process, port = start_server()
        with Client(port) as client:
            client.ask("/quit")
            self.assertTrue(client.file.read().endswith(b"bye\n"))
        self.assertEqual(0, await_end(process))

    def test_ends_when_its_stdin_closes(self):
        process, port = start_server()
        with Client(port) as client:
            client.ask("/never")
            process.stdin.close()
            self.assertEqual(0, await_end(process))

    def test_zz_every_path_is_documented_and_tested(self):
        text = self.answer("/")[2].decode()
        documented = set(re.findall(r"^    (/[a-z0-9-]*)", text, re.M))
        self.assertEqual(set(fault.PATHS), documented)
        self.assertEqual(set(fault.PATHS), asked)


if __name__ == "__main__":
    unittest.main()
