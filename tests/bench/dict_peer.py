"""dict.lua in Python: threads that share a dict under one lock.

Arguments: operations of each thread, threads, keys, kind of key (string or integer)
"""
import json
import sys
import threading
import time

n, threads, count = (int(word) for word in sys.argv[1:4])
kind = sys.argv[4]


def key(i):
    return "key%d" % i if kind == "string" else i


shared = {key(i): 0 for i in range(1, count + 1)}
lock = threading.Lock()
start_line = threading.Barrier(threads + 1)


def work(seed):
    keys = [key(i) for i in range(1, count + 1)]
    start_line.wait()
    x, total = seed, 0
    for i in range(1, n + 1):
        x = (x * 1103515245 + 12345) & 0x7fffffff
        k = keys[(x >> 8) % count]
        if i % 10 == 0:
            with lock:
                shared[k] = i
        else:
            with lock:
                total += shared[k]


workers = [threading.Thread(target=work, args=(seed,)) for seed in range(1, threads + 1)]
for worker in workers:
    worker.start()
start_line.wait()
start = time.monotonic()
for worker in workers:
    worker.join()
seconds = time.monotonic() - start
print(json.dumps({"peer": "python dict", "workload": "dict", "n": n * threads, "seconds": seconds,
                  "per_second": n * threads / seconds, "kind": kind}))
