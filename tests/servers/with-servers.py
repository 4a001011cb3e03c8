#!/usr/bin/env python3
"""Runs a command while the servers that the HTTP specs talk to are up; its exit code is that of the command.

    tests/servers/with-servers.py [--only fault,nginx,httpbin] [--preload] [--stub-resolver FILE] COMMAND...

All listen on 127.0.0.1, on ports that the system chose. The command finds in its environment:

    TIDEMILL_FAULT_URL              fault.py, which misbehaves
    TIDEMILL_NGINX_URL              nginx; nginx.py tells what it serves
    TIDEMILL_NGINX_TLS_URL          ... with TLS and HTTP/2
    TIDEMILL_NGINX_BAD_TLS_URL      ... with a certificate for another host
    TIDEMILL_NGINX_EXPIRED_TLS_URL  ... with one that is not valid any more
    TIDEMILL_TEST_CA                the certificate, a PEM file, that signed these three
    TIDEMILL_HTTPBIN_URL            httpbin
    TIDEMILL_STUB_RESOLVER          stub_resolver.so, for LD_PRELOAD

URLs have no slash at their end. What is not installed is told on stderr, and its variables are left out. Variables that
name a proxy are taken away.

--only         starts these alone
--preload      the command itself runs with the stub resolver: ok.test and its like are names for it. ASAN_OPTIONS gets
               verify_asan_link_order=0, without which a program with the address sanitizer would not start
--stub-resolver  the library, if it is not the one in build/

Nothing stays behind, however this program ends: servers and command get a signal of the kernel when it is gone, and the
temporary folder is removed by a shell that waits for that. It ends with the program that started it, as well.
"""

import argparse
import contextlib
import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import nginx

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
NAMES = ("httpbin", "fault", "nginx")  # in the order in which they are started: the slowest first
LIMIT = 30  # seconds that a server may take to answer; it does in one
GRACE = 5  # seconds that the command gets to end after SIGTERM
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
libc = ctypes.CDLL(None)


def say(text):
    print(f"with-servers: {text}", file=sys.stderr, flush=True)


def die_with_parent(parent, number):
    """For the child, before it becomes its program."""
    libc.prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def start(command, **options):
    """A child that is killed when this program ends."""
    parent = os.getpid()
    return subprocess.Popen(command, preexec_fn=lambda: die_with_parent(parent, signal.SIGKILL), **options)


def reserved():
    """A socket on a port that the system gives to nobody else while this is open. It does not listen: so a server may
    bind the same port by its number, as SO_REUSEADDR allows."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", 0))
    return s


class Servers:
    """Those that were started, and what the command is told of them."""

    def __init__(self, folder):
        self.folder = folder
        self.started = []
        self.environment = {}
        self.waiting = []  # functions that return when a server answers

    def start(self, command, **options):
        """In a session of its own: a signal from the keyboard is for the command."""
        process = start(command, start_new_session=True, stdin=options.pop("stdin", subprocess.DEVNULL), **options)
        self.started.append(process)
        return process

    def stop(self):
        """With SIGKILL, to the children of the servers, too: they have nothing to save."""
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in self.started:
            process.wait()
            with contextlib.suppress(ChildProcessError):
                while True:
                    os.waitpid(-process.pid, 0)  # its children, which are ours now

    def await_all(self):
        for wait in self.waiting:
            wait()

    # ---- one function for each server ----

    def start_fault(self):
        process = self.start([sys.executable, os.path.join(HERE, "fault.py")], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)

        def wait():
            port = process.stdout.readline().strip()
            if not port:
                raise RuntimeError("fault.py did not start")
            self.environment["TIDEMILL_FAULT_URL"] = f"http://127.0.0.1:{port}"
            answers(process, int(port), "/no-content")

        self.waiting.append(wait)

    def start_nginx(self):
        program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        if not program or not shutil.which("openssl"):
            say("nginx or openssl is not installed (Debian: nginx-light, openssl): goes without")
            return
        sockets = {name: reserved() for name in ("plain", *nginx.CERTIFICATES)}
        ports = {name: s.getsockname()[1] for name, s in sockets.items()}
        process = self.start([program, *nginx.prepare(self.folder, ports)], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        ca = os.path.join(self.folder, "ca.pem")
        self.environment.update({
            "TIDEMILL_NGINX_URL": f"http://127.0.0.1:{ports['plain']}",
            "TIDEMILL_NGINX_TLS_URL": f"https://127.0.0.1:{ports['tls']}",
            "TIDEMILL_NGINX_BAD_TLS_URL": f"https://127.0.0.1:{ports['wrong']}",
            "TIDEMILL_NGINX_EXPIRED_TLS_URL": f"https://127.0.0.1:{ports['expired']}",
            "TIDEMILL_TEST_CA": ca,
        })

        def wait():
            try:
                answers(process, ports["plain"], "/1k.txt")
                answers(process, ports["tls"], "/1k.txt", ssl.create_default_context(cafile=ca))
            except (RuntimeError, OSError) as e:
                with open(os.path.join(self.folder, "error.log"), encoding="utf-8") as log:
                    raise RuntimeError(f"{e}\n{log.read()}") from e
            finally:
                for s in sockets.values():
                    s.close()

        self.waiting.append(wait)

    def start_httpbin(self):
        """With the Python of the system, where Debian's packages are, if this one has none."""
        python = sys.executable
        if not (importlib.util.find_spec("httpbin") and importlib.util.find_spec("gunicorn")):
            python = "/usr/bin/python3"
        s = reserved()
        s.listen(1024)
        try:
            process = self.start([python, os.path.join(HERE, "httpbin_server.py"), str(s.fileno())],
                                 pass_fds=[s.fileno()])
        except FileNotFoundError:
            process = None
        port = s.getsockname()[1]
        s.close()

        def wait():
            try:
                if process:
                    answers(process, port, "/status/204")
                    self.environment["TIDEMILL_HTTPBIN_URL"] = f"http://127.0.0.1:{port}"
                    return
            except (RuntimeError, OSError):
                if process.wait() != 3:
                    raise
            say("httpbin or gunicorn is not installed (Debian: python3-httpbin, gunicorn): goes without")

        self.waiting.append(wait)


def answers(process, port, path, context=None):
    """Waits until the server answers. Those that were given a listening socket find the request in its queue."""
    end = time.monotonic() + LIMIT
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), LIMIT)
            break
        except ConnectionRefusedError as e:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"no server at port {port}; its exit code is {process.poll()}") from e
            time.sleep(0.005)  # it does not listen yet
    with connection:
        if context:
            connection = context.wrap_socket(connection, server_hostname="127.0.0.1")
        with connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            line = connection.recv(12)
    if line[9:] not in (b"200", b"204"):
        raise RuntimeError(f"port {port} answers {path} with {line}; exit code of its server: {process.poll()}")


def command_environment(servers, stub, preload):
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environment.update(servers.environment)
    if os.path.exists(stub):
        environment["TIDEMILL_STUB_RESOLVER"] = stub
        if preload:
            environment["LD_PRELOAD"] = " ".join(filter(None, (stub, environment.get("LD_PRELOAD"))))
            options = environment.get("ASAN_OPTIONS")
            environment["ASAN_OPTIONS"] = (options + ":" if options else "") + "verify_asan_link_order=0"
    else:
        say(f"{stub} is not built: goes without")
    return environment


def run(command, environment):
    """The exit code, as shells tell it."""
    try:
        process = start(command, env=environment)
    except OSError as e:
        say(f"{command[0]}: {e.strerror}")
        return 127
    try:
        code = process.wait()
        return code if code >= 0 else 128 - code
    except BaseException:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        process.kill()
        process.wait()
        raise


@contextlib.contextmanager
def temporary_folder():
    """Removed by a shell that waits for the end of its stdin, which comes even when this program is killed."""
    folder = tempfile.mkdtemp(prefix="tidemill-servers-")
    cleaner = subprocess.Popen(["sh", "-c", 'read -r _; rm -rf "$1"', "sh", folder], stdin=subprocess.PIPE,
                               start_new_session=True)
    try:
        yield folder
    finally:
        cleaner.stdin.close()
        cleaner.wait()


def stop_at_signal(number, _frame):
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # one is enough
    sys.exit(128 + number)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0], usage=__doc__.split("\n")[2].strip())
    parser.add_argument("--only", default=",".join(NAMES))
    parser.add_argument("--preload", action="store_true")
    parser.add_argument("--stub-resolver", default=os.path.join(ROOT, "build/tests/servers/stub_resolver.so"))
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = set(options.only) - set(NAMES)
    if unknown or not options.command:
        parser.error(f"no such server: {', '.join(sorted(unknown))}" if unknown else "a command is wanted")
    return options


def main():
    options = parse()
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop_at_signal)
    with temporary_folder() as folder:
        servers = Servers(folder)
        try:
            for name in NAMES:
                if name in options.only:
                    getattr(servers, "start_" + name)()
            servers.await_all()
            stub = os.path.abspath(options.stub_resolver)
            return run(options.command, command_environment(servers, stub, options.preload))
        except (RuntimeError, OSError) as e:
            say(e)
            return 1
        finally:
            servers.stop()


if __name__ == "__main__":
    sys.exit(main())
