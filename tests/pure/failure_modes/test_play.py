"""Releases of this operator on failure modes: the extremes, and that the seed decides all."""

import pytest

from bench.failure_modes.modes import FailureMode, load
from bench.failure_modes.scores import BACK, BLAMED, PROMOTED
from bench.failure_modes.world import play, spec_of

MODES = {mode.name: mode for mode in load()}


def played(mode: FailureMode, rate: float = 100.0, seed: str = "7"):
    return play(spec_of(mode), mode, rate, 15.0, seed)


@pytest.mark.parametrize(
    ("name", "end", "most"),
    [
        ("all fail", BLAMED, 60),
        ("one pod of two hangs", BLAMED, 200),
        ("three of ten are cut", BLAMED, 150),
        ("crash loop", BLAMED, 300),
        ("gRPC statuses are removed and one in four fails", BACK, 0),
        ("neither fails", PROMOTED, 0),
        ("slow start", PROMOTED, 0),
        ("counted twice, both fail 1 %", PROMOTED, 1000),
    ],
)
def test_how_it_ends_and_whom_it_hurts(name: str, end: str, most: int):
    result = played(MODES[name])
    assert (result.end, result.wrong) == (end, False), result
    assert result.hurt <= most


def test_hurt_requests_count_until_the_last_and_seconds_between_them():
    result = played(MODES["all hang with all traffic"])
    assert result.seconds and 5 < result.seconds < 60
    assert result.hurt == pytest.approx(100 * result.seconds, rel=0.1), "all of 100 requests/s"


def test_the_same_seed_gives_the_same_release():
    flapping = MODES["flapping"]
    assert played(flapping, seed="1") == played(flapping, seed="1") != played(flapping, seed="2")


def test_a_fault_that_nobody_sees_is_told_as_wrong():
    assert played(FailureMode("secret", "bad", 0.5)).wrong
