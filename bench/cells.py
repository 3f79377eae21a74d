"""The tables of `bench.trials`: which releases are tried, how they have to end, and what they may cost."""

import time
from collections.abc import Callable

from bench.trial import Cell, Trial
from lab.waiting import until

GOALS = {1.0: 25.0, 0.2: 12.0, 0.05: 8.0, 0.02: 10.0}
"""Failed requests by the share (0 to 1) that the canary fails: at most so many in the median at 100 requests/s, scraped every 5 s."""
PACE_GOALS = {1.0: 10.0, 0.2: 8.0, 0.05: 10.0, 0.02: 12.0}
"""The same under pace."""
SHORT = {"steps": [{"weight": 50, "hold": {"min": "20s", "max": "2m"}}], "bake": "30s"}
"""Where the way to 100 % is not what is asked about."""
LATENCY = {"analysis": {"latency": {"threshold": "100ms"}}}


def _share(share: float) -> str:
    return f"{100 * share:g} %"


def breaks(weight: int, share: float) -> Callable[[Trial], None]:
    """The canary begins to fail this share of its requests at this weight."""

    def script(trial: Trial) -> None:
        trial.wait_weight(weight)
        trial.canary.behave(error_share=share)

    return script


def incident(seconds: float) -> Callable[[Trial], None]:
    """Both versions fail 30 % for so long, from the first weight on."""

    def script(trial: Trial) -> None:
        trial.wait_weight(5)
        begun = time.time()
        for share in (0.3, 0.0):
            for version in (trial.stable, trial.canary):
                version.behave(error_share=share)
            if share:
                trial.wait_until(begun + seconds)

    return script


def crash_loop(trial: Trial) -> None:
    """The canary's processes end under traffic, come back after a while, and end again."""
    for _ in range(2):
        trial.wait_weight(5)
        trial.canary.behave(crashing=True)
        trial.canary.crash()
        until(lambda: trial.status.get("weight") == 0, "all traffic is back", 120)
        trial.canary.behave(crashing=False)


def refused(trial: Trial) -> None:
    """The canary's processes are gone, and nobody has noticed yet: its endpoints stay ready, and connections are refused."""
    trial.wait_weight(5)
    trial.canary.behave(crashing=True)
    trial.lab.kubelet.pause()
    try:
        trial.canary.crash()
        until(lambda: trial.status.get("weight") == 0, "all traffic is back", 120)
    finally:
        trial.lab.kubelet.resume()


BAD = [Cell(f"canary fails {_share(share)}", "RolledBack", canary={"error_share": share}, goal=goal) for share, goal in GOALS.items()]
HEALTHY = [
    Cell(
        f"both fail {_share(share)}",
        "Promoted",
        runs=20,
        canary={"error_share": share},
        stable={"error_share": share},
        spec={"steps": [{"weight": weight, "hold": {"min": "20s", "max": "1m"}} for weight in (10, 50)], "bake": "20s"},
        rate=50.0,
    )
    for share in (0.005, 0.01)
]
DAYS = [
    Cell("both fail 5 %", "Promoted", runs=2, canary={"error_share": 0.05}, stable={"error_share": 0.05}),
    Cell("good canary, stable fails 5 %", "Promoted", stable={"error_share": 0.05}),
    Cell("both fail 30 % for 4 minutes", "Withdrawn", script=incident(240)),
    Cell("both fail 30 % for 2 minutes", "Promoted", script=incident(120)),
]
SLOW = [
    Cell(
        "latency 60 ms, as stable, threshold 100 ms", "Promoted", canary={"latency_ms": 60}, stable={"latency_ms": 60}, spec=SHORT | LATENCY
    ),
    Cell(
        "latency 120 ms, stable 60 ms, threshold 100 ms", "RolledBack", canary={"latency_ms": 120}, stable={"latency_ms": 60}, spec=LATENCY
    ),
]
KINDS = [
    *(
        Cell(f"gRPC canary answers UNAVAILABLE, {_share(share)}", "RolledBack", runs=3, canary={"error_share": share}, protocol="grpc")
        for share in (1.0, 0.2)
    ),
    Cell("canary crash-loops", "RolledBack", runs=3, script=crash_loop),
    *(
        Cell(f"canary fails {_share(share)} from weight 100 on", "RolledBack", spec={**SHORT, "bake": "2m"}, script=breaks(100, share))
        for share in (1.0, 0.2, 0.05)
    ),
    Cell("canary's connections are refused, its endpoints are ready", "RolledBack", runs=3, script=refused, alone=True),
]
RESTARTS = [
    Cell("canary fails 5 %, operator left alone", "RolledBack", canary={"error_share": 0.05}),
    Cell("canary fails 5 %, operator killed every 20 s", "RolledBack", canary={"error_share": 0.05}, restarts=True),
]


def _pace(seconds: int, bake: int = 30) -> dict[str, object]:
    return {"pace": {"failureBudget": 20, "minDuration": f"{seconds}s"}, "bake": f"{bake}s"}


def _soon(seconds: int) -> float:
    """How long a good canary may take to 100 %: a fifth more than `minDuration`."""
    return 1.2 * seconds


PACE_BAD = [
    Cell(f"pace, canary fails {_share(share)}", "RolledBack", canary={"error_share": share}, spec=_pace(300), goal=goal)
    for share, goal in PACE_GOALS.items()
]


def _good(seconds: int, share: float, rate: float, bake: int = 30) -> Cell:
    return Cell(
        f"pace of {seconds} s, both fail {_share(share)}, {rate:g}/s",
        "Promoted",
        runs=20,
        canary={"error_share": share},
        stable={"error_share": share},
        spec=_pace(seconds, bake),
        rate=rate,
        longest=_soon(seconds),
    )


# Where both fail 1 %, the odds that the canary is not worse take longer than two minutes now and then.
PACE_GOOD = [_good(*kind) for kind in ((300, 0.01, 10.0), (120, 0.0, 10.0), (300, 0.01, 100.0), (120, 0.0, 100.0))]
PACE_FAST = [
    Cell("pace, canary fails 100 %, 1000/s", "RolledBack", canary={"error_share": 1.0}, spec=_pace(300), rate=1000.0, goal=60.0),
    # One at a time fills the lab, so the bake is short. Where both fail 1 %, two good versions differ by chance so that with 90 s a fifth is late.
    *(_good(seconds, share, 1000.0, bake=5) for seconds, share in ((90, 0.0), (300, 0.01))),
]
TABLES = {
    "bad": BAD,
    "healthy": HEALTHY,
    "days": DAYS,
    "slow": SLOW,
    "kinds": KINDS,
    "restarts": RESTARTS,
    "pace_bad": PACE_BAD,
    "pace_good": PACE_GOOD,
    "pace_fast": PACE_FAST,
}
