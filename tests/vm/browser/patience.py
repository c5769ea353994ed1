"""Waiting for what somebody else does."""

import time

PATIENCE_SECONDS = 240


def until(condition, what):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"never saw {what}")
        time.sleep(0.3)
