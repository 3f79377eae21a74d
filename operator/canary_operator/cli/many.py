"""Many releases of one kind, on all cores. Which of them a core plays changes nothing: each has a seed of its own."""

import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess

from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.cli.chance import chance
from canary_operator.simulation.assumed import Assumed
from canary_operator.simulation.play import Played, play

AT_A_TIME = 4
FEW = 8
"""So few releases are played at once, without starting other processes."""


class Interrupted(Exception):
    """Somebody wants it to end."""


def many(spec: CanaryReleaseSpec, assumed: Assumed, *, runs: int, seed: int, most: float) -> list[Played]:
    """So many releases, in the order of their seeds.

    Raises:
        Interrupted: Ctrl-C; nothing is left running.
    """
    parts = [range(first, min(runs, first + AT_A_TIME)) for first in range(0, runs, AT_A_TIME)]
    if runs <= FEW:
        return _some(spec, assumed, seed, most, range(runs))
    pool = ProcessPoolExecutor(os.cpu_count(), initializer=_not_alone)
    try:
        # Ctrl-C is for this process alone: the others are born deaf to it, and end with their part.
        heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            tasks = [pool.submit(_some, spec, assumed, seed, most, part) for part in parts]
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, heard)
        return [played for task in tasks for played in task.result()]
    except KeyboardInterrupt as error:
        raise Interrupted from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _not_alone() -> None:
    """This process ends when the one that wants the releases does: killed, that one tells nobody, and the others would wait for it for ever."""

    def end_with(parent: BaseProcess) -> None:
        parent.join()
        os._exit(1)

    if (parent := parent_process()) is not None:
        threading.Thread(target=end_with, args=(parent,), daemon=True).start()


def _some(spec: CanaryReleaseSpec, assumed: Assumed, seed: int, most: float, numbers: Sequence[int]) -> list[Played]:
    return [play(spec, assumed, chance(f"{seed}/{number}", assumed.proxies), most=most) for number in numbers]
