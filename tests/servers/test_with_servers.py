#!/usr/bin/env python3
"""with-servers.py starts what it says, passes the exit code on, and leaves nothing behind, however it ends."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = [sys.executable, os.path.join(HERE, "with-servers.py")]
LIMIT = 60  # seconds that anything may take

# Prints who runs below with-servers.py, and its folder; then says so and waits for ever.
TELL = 'echo "$PPID ${TIDEMILL_TEST_CA:-}" && exec sleep 1000'


def children(pid):
    """All processes below this one, itself included."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as f:
                parents[int(name)] = int(f.read().rpartition(")")[2].split()[1])
        except OSError:
            pass  # it has ended
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def alive(pid):
    """Zombies are not: it is for others to reap them."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def eventually(condition):
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


class WithServersTest(unittest.TestCase):
    def run_with(self, *arguments, **options):
        return subprocess.run([*PROGRAM, *arguments], timeout=LIMIT, capture_output=True, text=True, check=False,
                              **options)

    def test_passes_the_exit_code_on(self):
        self.assertEqual(0, self.run_with("--only", "fault", "true").returncode)
        self.assertEqual(7, self.run_with("--only", "fault", "sh", "-c", "exit 7").returncode)
        self.assertEqual(128 + 15, self.run_with("--only", "fault", "sh", "-c", "kill $$").returncode)
        self.assertEqual(127, self.run_with("--only", "fault", "/no/such/program").returncode)
        self.assertEqual(2, self.run_with("--only", "fault,apache", "true").returncode)
        self.assertEqual(2, self.run_with("--only", "fault").returncode)

    def test_starts_only_what_is_asked_for(self):
        done = self.run_with("--only", "fault", "env", env={**os.environ, "https_proxy": "http://127.0.0.1:1"})
        self.assertIn("TIDEMILL_FAULT_URL=http://127.0.0.1:", done.stdout)
        self.assertNotIn("TIDEMILL_NGINX", done.stdout)
        self.assertNotIn("TIDEMILL_HTTPBIN", done.stdout)
        self.assertNotIn("https_proxy", done.stdout)

    def test_goes_without_what_is_not_installed(self):
        with tempfile.TemporaryDirectory() as programs:
            for name in ("env", "rm", "sh"):
                os.symlink(shutil.which(name), os.path.join(programs, name))
            done = self.run_with("--only", "fault,nginx", "env", env={"PATH": programs})
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("openssl is not installed", done.stderr)
        self.assertIn("TIDEMILL_FAULT_URL", done.stdout)
        self.assertNotIn("TIDEMILL_NGINX", done.stdout)

    def test_gives_the_command_its_input(self):
        self.assertEqual("abc", self.run_with("--only", "fault", "cat", input="abc").stdout)

    def test_runs_the_command_with_the_stub_resolver(self):
        stub = os.environ.get("TIDEMILL_STUB_RESOLVER")
        if not stub:
            self.skipTest("TIDEMILL_STUB_RESOLVER is not set")
        code = "import socket; print([a[4][0] for a in socket.getaddrinfo('two.test', 80, type=socket.SOCK_STREAM)])"
        done = self.run_with("--only", "fault", "--preload", "--stub-resolver", stub, sys.executable, "-c", code)
        self.assertEqual("['127.0.0.2', '127.0.0.1']\n", done.stdout, done.stderr)

    def ends_without_a_trace(self, number, launcher=()):
        """Sends the signal to the program, or to the launcher that is its parent."""
        process = subprocess.Popen([*launcher, *PROGRAM, "sh", "-c", TELL], stdout=subprocess.PIPE, text=True)
        with process.stdout:
            ca = process.stdout.readline().split()[1:]
            everyone = children(process.pid)
            self.assertGreaterEqual(len(everyone), 4)  # itself, the cleaner, fault.py, the command
            process.send_signal(number)
            code = process.wait(LIMIT)
            self.assertTrue(eventually(lambda: not any(map(alive, everyone))), "a process was left behind")
            if ca:
                self.assertTrue(eventually(lambda: not os.path.exists(os.path.dirname(ca[0]))), "a folder was left")
        return code

    def test_leaves_nothing_when_it_is_told_to_end(self):
        self.assertEqual(128 + signal.SIGTERM, self.ends_without_a_trace(signal.SIGTERM))
        self.assertEqual(128 + signal.SIGINT, self.ends_without_a_trace(signal.SIGINT))

    def test_leaves_nothing_when_it_is_killed(self):
        self.assertEqual(-signal.SIGKILL, self.ends_without_a_trace(signal.SIGKILL))

    def test_leaves_nothing_when_the_test_runner_is_killed(self):
        runner = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])"]
        self.assertEqual(-signal.SIGKILL, self.ends_without_a_trace(signal.SIGKILL, runner))


if __name__ == "__main__":
    unittest.main()
