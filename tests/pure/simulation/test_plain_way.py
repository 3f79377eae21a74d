"""The quick way of the world and of the report: at every pass of every scripted release it says what the plain way says."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from canary_operator.api.status import CanaryReleaseStatus, EvidenceRecord
from canary_operator.release import reasons
from canary_operator.release.report import CHECKPOINT, worth_writing
from canary_operator.simulation.objects import as_stored
from canary_operator.simulation.world import World
from tests.pure.release.scenarios import SCRIPTS

CALM = {reasons.STEP_PASSED, reasons.SETTLING, reasons.GATHERING, reasons.BAKING, reasons.FINISHING}


def calm(reason: str | None) -> str | None:
    return reasons.STEP_PASSED if reason in CALM else reasons.AT_REST if reason == reasons.PROMOTED else reason


def news(status: CanaryReleaseStatus) -> CanaryReleaseStatus:
    """The status without numbers, made anew field by field."""
    numbers = {"evidence": EvidenceRecord(), "observed_seconds": 0, "seq": 0, "baseline": None, "stable_pods": 0, "stable_version": None}
    release = status.release and replace(status.release, **numbers)
    conditions = tuple(replace(each, reason=calm(each.reason) or "", message="") for each in status.conditions)
    ways_out = re.sub(r"(no|[0-9]+) ready pods?", "", status.message or "") if status.reason == reasons.STABLE_GONE else None
    return replace(status, reason=calm(status.reason), message=ways_out, since=None, verdict=None, release=release, conditions=conditions)


def behind(before: CanaryReleaseStatus, after: CanaryReleaseStatus) -> bool:
    old, new = (status.release and status.release.evidence.reached for status in (before, after))
    return bool(old and new and new - old >= CHECKPOINT)


def grown(before: CanaryReleaseStatus, after: CanaryReleaseStatus) -> bool:
    """The pods of stable have passed a power of two."""
    old, new = (status.release.stable_pods if status.release else 0 for status in (before, after))
    return old > 0 and len(bin(old)) != len(bin(new))


def with_times(value: object, change: Callable[[datetime, bool], datetime], exact: bool = False) -> object:
    """Every time in a status, changed; those of samples, and of the weight that they are counted for, are exact."""
    if isinstance(value, datetime):
        return change(value, exact)
    if isinstance(value, tuple):
        return tuple(with_times(each, change, exact) for each in value)
    if hasattr(value, "__dataclass_fields__"):
        exact = exact or isinstance(value, EvidenceRecord)
        changed = {name: with_times(getattr(value, name), change, exact or name == "weight_since") for name in value.__dataclass_fields__}
        return replace(value, **changed)  # type: ignore[type-var]
    return value


def cut(status: CanaryReleaseStatus) -> object:
    """Whole seconds; where it is exact, whole milliseconds."""
    return with_times(status, lambda time, exact: time.replace(microsecond=time.microsecond // 1000 * 1000 if exact else 0))


@pytest.fixture(scope="module")
def played() -> list[World]:
    return [script(None) for script in SCRIPTS.values()]


def test_what_is_worth_writing_is_found_by_comparing_everything(played: list[World]) -> None:
    for one in (one for world in played for one in world.passes):
        wanted = one.after.reason != reasons.INSPECTING and (
            news(one.before) != news(one.after) or behind(one.before, one.after) or grown(one.before, one.after)
        )
        assert worth_writing(one.before, one.after) == wanted


def test_a_stored_status_is_cut_wherever_it_holds_a_time(played: list[World]) -> None:
    for one in (one for world in played for one in world.passes):
        odd = with_times(one.after, lambda time, exact: time + timedelta(microseconds=345_678))
        assert isinstance(odd, CanaryReleaseStatus)
        assert as_stored(odd) == cut(odd)
