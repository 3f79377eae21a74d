"""Runs a module under a sampler of processor time. Writes where the main thread was, as `share  file:function`, when it is asked and when it ends.

python -m bench.profiled REPORT MODULE ARGUMENTS...

A sample every 5 ms of processor time costs next to nothing, so the figures of the run stay what they are. SIGUSR1 writes what was seen since the
last report.
"""

import runpy
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

SPACING = 0.005
"""Seconds of processor time between two samples."""
DEEPEST = 60
Place = tuple[str, str]


class Sampler:
    """Counts where the main thread is."""

    def __init__(self, report: Path) -> None:
        self._report = report
        self._written = 0
        self._stacks: Counter[tuple[Place, ...]] = Counter()

    def start(self) -> None:
        """From now on."""
        signal.signal(signal.SIGPROF, self._take)
        signal.signal(signal.SIGUSR1, lambda number, frame: self.write())
        signal.setitimer(signal.ITIMER_PROF, SPACING, SPACING)

    def write(self) -> None:
        """What was seen since the last report."""
        self._written += 1
        stacks, self._stacks = self._stacks, Counter()  # a sample may come in between
        many = max(sum(stacks.values()), 1)
        there: Counter[Place] = Counter()
        under: Counter[Place] = Counter()
        for stack, count in stacks.items():
            there[stack[-1]] += count
            for place in set(stack):
                under[place] += count
        lines = [f"{many} samples, {many * SPACING:.1f} s", "", "there or in what it calls:"]
        lines += [f"{100 * count / many:5.1f} %  {place[0]}:{place[1]}" for place, count in under.most_common(150)]
        lines += ["", "there:"]
        lines += [f"{100 * count / many:5.1f} %  {place[0]}:{place[1]}" for place, count in there.most_common(60)]
        self._report.with_suffix(f".{self._written}.txt").write_text("\n".join(lines) + "\n")
        folded = (f"{';'.join(':'.join(place) for place in stack)} {count}" for stack, count in stacks.most_common())
        self._report.with_suffix(f".{self._written}.folded").write_text("\n".join(folded) + "\n")

    def _take(self, number: int, frame: FrameType | None) -> None:
        stack: list[Place] = []
        while frame is not None and len(stack) < DEEPEST:
            stack.append((_short(frame.f_code.co_filename), frame.f_code.co_name))
            frame = frame.f_back
        if stack:
            self._stacks[tuple(reversed(stack))] += 1


def _short(path: str) -> str:
    return "/".join(path.split("/")[-2:])


def main() -> None:
    """Runs the module as `python -m` does."""
    report, module, *arguments = sys.argv[1:]
    Path(report).parent.mkdir(parents=True, exist_ok=True)
    sampler = Sampler(Path(report))
    sampler.start()
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        sampler.write()


if __name__ == "__main__":
    main()
