"""Waiting for events, never for seconds: no test passes or fails because a machine is slow."""

import time

HANGS = (
    1200  # seconds; what takes longer is taken never to end, on the slowest machine that we know
)


def wait_until(condition, what):
    """Wait until `condition()` holds. Raises TimeoutError that says `what` was waited for."""
    end = time.monotonic() + HANGS
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {HANGS} s in vain for {what}")
        time.sleep(0.1)
