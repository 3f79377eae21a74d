"""Which failure modes the lab's backends can show, and how they are told to."""

from dataclasses import fields

import grpc
import pytest

from bench.failure_modes.lab import doing, shown
from bench.failure_modes.modes import Behaviour, load
from lab.behaviour import Behaviour as Backend

MODES = {mode.name: mode for mode in load()}
NOTHING = {"error_share": 0.0, "hang_share": 0.0, "cut_share": 0.0, "ready": True}


@pytest.mark.parametrize(
    ("behaviours", "pod", "seconds", "traffic", "told"),
    [
        ((), 0, 5, 0.1, {}),
        ((Behaviour("404"),), 1, 5, 0.1, {"error_share": 1.0, "error_status": 404}),
        ((Behaviour("grpc 13", share=0.05),), 1, 5, 0.1, {"error_share": 0.05, "grpc_status": "INTERNAL"}),
        ((Behaviour("grpc 4"),), 1, 5, 0.1, {"error_share": 1.0, "grpc_status": "DEADLINE_EXCEEDED"}),
        ((Behaviour("hang", pods=0.5),), 0, 5, 0.1, {"hang_share": 1.0}),
        ((Behaviour("hang", pods=0.5),), 1, 5, 0.1, {}),
        ((Behaviour("cut", share=0.3),), 1, 5, 0.1, {"cut_share": 0.3}),
        ((Behaviour("absent", until=90),), 1, 5, 0.1, {"ready": False}),
        ((Behaviour("503", from_traffic=1),), 1, 5, 0.5, {}),
    ],
)
def test_what_a_pod_is_told(behaviours: tuple[Behaviour, ...], pod: int, seconds: float, traffic: float, told: dict[str, object]):
    found = doing(behaviours, pod, seconds, traffic)
    assert found == {**NOTHING, **told}
    assert found.keys() <= {field.name for field in fields(Backend)}
    assert found.get("grpc_status", "OK") in grpc.StatusCode.__members__


def test_what_needs_other_callers_or_another_mesh_is_not_shown():
    hidden = {name for name, mode in MODES.items() if not shown(mode)}
    assert {"callers leave", "twice as slow", "connections refused", "counted twice, both fail 1 %", "streams of two minutes"} <= hidden
    assert {"all hang", "one pod of two hangs", "three of ten are cut", "flapping", "slow start", "neither fails"}.isdisjoint(hidden)
