"""timers: what the machine gives. One thread with a heap of instants that sleeps until each of them; no timers, no callbacks.

Arguments: how many, the seconds. Prints how late it woke, and the CPU that it took.
"""
import heapq
import json
import random
import sys
import time

count, seconds = int(sys.argv[1]), float(sys.argv[2])
random.seed(42)

began = time.monotonic()
heap = [(began + period, period) for period in (random.uniform(10, 60) for _ in range(count))]
heapq.heapify(heap)
used, late = time.process_time(), []
while heap[0][0] < began + seconds:
    due, period = heap[0]
    left = due - time.monotonic()
    if left > 0:
        time.sleep(left)
    late.append((time.monotonic() - due) * 1000)
    heapq.heapreplace(heap, (due + period, period))
took, used = time.monotonic() - began, time.process_time() - used
late.sort()
print(json.dumps({"peer": "bare loop", "workload": "timers", "n": len(late), "seconds": took,
                  "late_p50_ms": late[len(late) // 2], "late_p99_ms": late[len(late) * 99 // 100],
                  "late_max_ms": late[-1], "cpu_percent": 100 * used / took}))
