"""Waiting for a condition with a deadline: the only way the lab and its tests wait."""

import time
from collections.abc import Callable
from typing import TypeVar

from lab.api import ApiUnreachable

LOOK_AGAIN_SECONDS = 0.05
T = TypeVar("T")


def until(condition: Callable[[], T], what: str, seconds: float = 30, every: float = LOOK_AGAIN_SECONDS) -> T:
    """Returns the condition's first true value; looks again `every` so many seconds.

    Raises:
        TimeoutError: It did not come true in time; the message names `what` and the last value.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            value = condition()
        except ApiUnreachable as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {seconds:g} s ({error})") from error
        else:
            if value:
                return value
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {seconds:g} s (last: {value!r})")
        time.sleep(every)
