"""Bad days: the moves of the state machine in seeded disorder. Fewer kinds of trouble a day, more of each, than hypothesis likes to draw.

Each seed is one day. A day that breaks a rule is shortened, move by move, before it is shown.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from canary_operator.simulation.api import Fault
from canary_operator.simulation.prometheus import Mode
from tests.pure.release.test_rules import VERBS_AND_NONSENSE, VERSIONS, Rules

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
DAYS = 20_000 if THOROUGH else 120
GROUPS = 4
Move = tuple[str, dict[str, Any]]
PARTS, SHARES = ("canary", "canary", "stable", "another"), (0.0, 0.02, 0.2, 1.0)
OBJECTS = ("status", "route", "subsets", "resource")
TIME = ("time_passes", "a_step_is_passed")


def _moves(r: Random) -> dict[str, Callable[[], dict[str, Any]]]:
    """Every move of the state machine, and how its values are drawn."""
    one = r.choice
    return {
        "time_passes": lambda: {"seconds": one((1.0, 3.3, 5.0, 7.3, 20.0, 31.0, 55.0, 62.0))},
        "a_step_is_passed": dict,
        "requests_fail": lambda: {"who": one(PARTS), "share": one(SHARES)},
        "pods_come_and_go": lambda: {"who": one(PARTS), "pods": one((0, 1, 4))},
        "pods_of_an_older_template_serve": lambda: {"who": one(PARTS), "pods": one((0, 1, 3))},
        "deployed_anew": lambda: {"who": one(PARTS), "template": one((1, 2, 3)), "share": one(SHARES)},
        "the_service_comes_and_goes": lambda: {"there": r.random() < 0.6},
        "undeployed": lambda: {"who": one(PARTS)},
        "another_version_is_wanted": lambda: {"version": one(VERSIONS)},
        "steps_are_edited": lambda: {
            "weights": one(((10, 40), (5, 10, 20), (40,), (60, 100), (1, 2, 3), (100,))),
            "gated": r.random() < 0.3,
        },
        "the_pace_is_edited": lambda: {"budget": one((1, 20, 100_000)), "most": one((5, 50)), "gated": r.random() < 0.3},
        "the_answer_to_failure_is_edited": lambda: {"policy": one(("RollBack", "Hold"))},
        "extras_are_edited": lambda: {"preview": r.random() < 0.6, "mirror": r.random() < 0.6},
        "extras_drift": lambda: {"preview": r.random() < 0.5, "mirror": one((0, 100))},
        "suspended": lambda: {"suspend": r.random() < 0.5},
        "somebody_acts": lambda: {"verb": one(VERBS_AND_NONSENSE), "off": one((0, 0, 0, -1, 1)), "again": r.random() < 0.3},
        "weights_drift": lambda: {"weight": one((0, 1, 10, 40, 99, 100)), "intact": r.random() < 0.5, "marked": r.random() < 0.7},
        "subsets_drift": lambda: {"stable": one((None, *VERSIONS)), "canary": one((None, *VERSIONS)), "marked": r.random() < 0.7},
        "routing_is_deleted": lambda: {"what": one(("route", "subsets", "both"))},
        "preflight": lambda: {"blocked": r.random() < 0.4},
        "the_resource_is_deleted": dict,
        "prometheus_fails": lambda: {"mode": one(tuple(Mode))},
        "users_come_and_go": lambda: {"rate": one((0.0, 3.0, 100.0))},
        "a_write_goes_wrong": lambda: {"faults": [(r.randint(0, 3), one(tuple(Fault))) for _ in range(r.randint(1, 2))]},
        "the_operator_crashes": dict,
        "the_api_refuses": lambda: {"what": set(r.sample(OBJECTS, r.randint(0, 2)))},
        "the_operator_hangs": dict,
        "the_hanging_one_wakes": dict,
    }


def day(seed: int) -> list[Move]:
    """The moves of one day: time, and a few kinds of trouble."""
    r = Random(seed)  # noqa: S311
    begin = {
        "insufficient": r.choice(("Advance", "Hold")),
        "no_data": r.choice(("Hold", "Withdraw")),
        "deadline": r.choice((timedelta(minutes=3), timedelta(hours=1))),
        "proxies": r.choice((1, 2)),
        "rate": r.choice((100.0, 100.0, 7.0, 0.0)),
        "settle": r.choice((5, 20)),
        "reached": r.choice((10, 40, 100)),
        "gated": r.random() < 0.3,
        "attached": r.choice((None, None, 0, 30)),
        "gateway": r.random() < 0.5,
        "on_failure": r.choice(("RollBack", "RollBack", "Hold")),
        "extras": r.random() < 0.4,
        "paced": r.choice((None, None, 20, 100_000)),
    }
    moves = _moves(r)
    trouble = r.sample(sorted(set(moves) - set(TIME)), r.randint(1, 6))
    names = [r.choice((*TIME, *trouble, *trouble)) for _ in range(r.randint(3, 22))]
    return [("begin", begin), *((name, moves[name]()) for name in names)]


def live(moves: list[Move]) -> AssertionError | None:
    """Plays a day; the rule that it breaks, if any."""
    machine = Rules()
    try:
        for name, values in moves:
            if name != "the_hanging_one_wakes" or machine.hanging is not None:
                getattr(machine, name)(**values)
                machine.rules_hold()
        machine.teardown()
    except AssertionError as broken:
        return broken
    return None


def shortened(moves: list[Move]) -> list[Move]:
    """The same day without what it does not need to break a rule."""
    for index in range(len(moves) - 1, 0, -1):
        fewer = moves[:index] + moves[index + 1 :]
        if live(fewer) is not None:
            return shortened(fewer)
    return moves


def test_every_move_of_the_state_machine_is_made() -> None:
    known = {name for name, method in vars(Rules).items() if hasattr(method, "hypothesis_stateful_rule")}
    assert set(_moves(Random(0))) == known  # noqa: S311


@pytest.mark.timeout(7200 if THOROUGH else 120)
@pytest.mark.parametrize("group", range(GROUPS))
def test_no_rule_breaks_on_a_bad_day(group: int) -> None:
    for seed in range(group, DAYS, GROUPS):
        moves = day(seed)
        if live(moves) is not None:
            moves = shortened(moves)
            trace = "\n".join(f"    {name} {values}" for name, values in moves)
            pytest.fail(f"day {seed}: {live(moves)}\n{trace}", pytrace=False)
