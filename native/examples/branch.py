"""branch.py: does the slow part once, saves itself, and works on from there in every restart.

    LD_PRELOAD=$PWD/build/libckpt.so /usr/bin/python3 native/examples/branch.py
    build/restart ckpt/branch.py-PID          # as often as wanted

Python takes part through ctypes. Its hooks would be Python code, which must not run inside a signal handler:
ckpt_restarts() is asked instead.
"""

import ctypes
import random

ckpt = ctypes.CDLL(None)
if not hasattr(ckpt, "ckpt_checkpoint"):
    raise SystemExit("branch.py: runs under libckpt.so only: see its first lines")

table = [random.random() for _ in range(100_000)]  # the slow part
random.seed(1)

result = ckpt.ckpt_checkpoint()
if result < 0:
    raise SystemExit(f"branch.py: no checkpoint: errno {-result}")
if ckpt.ckpt_restarts() > 0:
    random.seed()  # from the system: else all branches would draw the same numbers
print("restarted" if result == 1 else "saved", len(table), random.getrandbits(64), flush=True)
