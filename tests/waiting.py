"""Waiting for events, never for seconds: no test passes or fails because a machine is slow."""

import time

HANGS = 600  # seconds; what takes longer, on the slowest machine too, is taken never to end


def wait_until(condition, what):
    """Wait until `condition()` holds. Raises TimeoutError that says `what` was waited for."""
    end = time.monotonic() + HANGS
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {HANGS} s in vain for {what}")
        time.sleep(0.1)
