"""guide: the same in Python, with threads. Arguments: the load ("calibrate": how many rounds take 100 ms), the workers (0: one
at a time), the rounds of a CPU task (0: what takes 100 ms here)."""
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

load, workers, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

LOADS = {"requests": (100, 0.2), "reads": (100, 0.01), "cpu": (100, None), "queries": (50, 0.05)}


def calibrate():
    """How many rounds take 100 ms here, Python's own, as so long lasts the guide's CPU task: the median of several looks."""
    found = []
    for _ in range(9):
        began = time.process_time()
        compute(300000)
        found.append(300000 * 0.1 / (time.process_time() - began))
    return int(sorted(found)[4])


def compute(rounds):
    x = 0
    for i in range(rounds):
        x = (x + i) & 0xFFFF
    return x


def one(seconds):
    if seconds is None:
        compute(ROUNDS)
    else:
        time.sleep(seconds)


ROUNDS = rounds or calibrate()
if load == "calibrate":
    print(json.dumps({"rounds": ROUNDS}))
    sys.exit()
if load == "mixed":
    items = [LOADS[name][1] for name in ("requests", "reads", "cpu", "queries") for _ in range(LOADS[name][0] // 10)]
else:
    items = [LOADS[load][1]] * LOADS[load][0]
start = time.monotonic()
if workers == 0:
    for item in items:
        one(item)
else:
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, items))
seconds = time.monotonic() - start
print(json.dumps({"peer": "python-threads", "workload": "guide", "n": len(items), "seconds": seconds,
                  "per_second": len(items) / seconds}))
