#!/usr/bin/env python3
"""Runs httpbin under gunicorn, on the listening socket whose descriptor is the one argument.

One worker with many threads, and connections that are kept. The exit code is 3 where httpbin or gunicorn is not
installed for this Python. with-servers.py starts it.
"""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1
NOT_INSTALLED = 3

try:
    import gunicorn.app.base
    import httpbin
except ImportError:
    sys.exit(NOT_INSTALLED)


class Server(gunicorn.app.base.BaseApplication):
    def load_config(self):
        settings = {
            "bind": f"fd://{sys.argv[1]}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": 64,
            "keepalive": 60,
            "timeout": 0,
            "loglevel": "warning",
            "proc_name": "httpbin",
            "preload_app": True,
            "post_fork": lambda arbiter, worker: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
        }
        for key, value in settings.items():
            self.cfg.set(key, value)

    def load(self):
        return httpbin.app


Server().run()
