"""The table of failure modes: what its rows mean, and that it knows no controller."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.failure_modes.modes import FILE, Behaviour, FailureMode, TableError, load
from bench.failure_modes.requests import absent, fates, labels
from canary_operator.analysis.failures import FailureCodes, Outcome
from canary_operator.cli.chance import chance

MODES = load()


def test_there_are_twenty_kinds_of_failure_and_good_versions_on_ten_kinds_of_days():
    assert sum(mode.bad for mode in MODES) >= 20
    assert sum(not mode.bad for mode in MODES) >= 10


@pytest.mark.parametrize("file", [FILE.with_name(name) for name in ("modes.py", "requests.py", "scores.py")], ids=lambda file: file.name)
def test_what_describes_and_scores_imports_no_controller(file: Path):
    tree = ast.walk(ast.parse(file.read_text()))
    imported = [name for node in tree if isinstance(node, ast.Import | ast.ImportFrom) for name in ast.unparse(node).split()]
    assert not [name for name in imported if name.startswith("canary_operator") or name == "bench.failure_modes.world"]


def test_the_table_speaks_of_no_controller():
    words = FILE.read_text().lower()
    assert not [word for word in ("canary", "weight", "subset", "rollout", "flagger", "argo", "stable") if word in words]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{name: a, label: ugly}", "write bad or good"),
        ("{name: a, label: bad}", "hurts some share"),
        ("{name: a, label: good, hurts: 5%}", "hurts none"),
        ("{name: a, label: good, colour: red}", "unknown colour"),
        ("{name: a, label: good, new: [{answer: 700}]}", "neither a code nor"),
        ("{name: a, label: good, new: [{answer: grpc 17}]}", "neither a code nor"),
        ("{name: a, label: good, new: [{answer: 503, often: 5%}]}", "unknown often"),
        ("{name: a, label: good, new: [{answer: slow}]}", "only where objective says"),
        ("{name: a, label: good}\n- {name: a, label: good}", "several rows have the name a"),
    ],
)
def test_a_row_that_means_nothing_is_refused(tmp_path: Path, row: str, said: str):
    (tmp_path / "modes.yaml").write_text(f"- {row}\n")
    with pytest.raises(TableError, match=said):
        load(tmp_path / "modes.yaml")


@pytest.mark.parametrize(
    ("behaviour", "seconds", "traffic", "share"),
    [
        pytest.param(Behaviour("503"), 0, 0.05, 1.0, id="all"),
        pytest.param(Behaviour("503", share=0.2, pods=0.5), 9, 0.05, 0.1, id="one of two pods"),
        pytest.param(Behaviour("503", after=10), 9, 1, 0, id="before"),
        pytest.param(Behaviour("503", after=10, until=20), 20, 1, 0, id="behind"),
        pytest.param(Behaviour("503", after=10, grows=100), 60, 1, 0.5, id="half grown"),
        pytest.param(Behaviour("503", grows=100), 1000, 1, 1, id="full grown"),
        pytest.param(Behaviour("503", period=60, lasting=4), 63, 1, 1, id="in a period"),
        pytest.param(Behaviour("503", period=60, lasting=4), 64, 1, 0, id="between periods"),
        pytest.param(Behaviour("503", from_traffic=1), 5, 0.5, 0, id="too little traffic"),
        pytest.param(Behaviour("503", from_traffic=1), 5, 1, 1, id="enough traffic"),
    ],
)
def test_how_often_a_behaviour_befalls_a_request(behaviour: Behaviour, seconds: float, traffic: float, share: float):
    assert behaviour.at(seconds, traffic) == pytest.approx(share)


@given(st.sampled_from(MODES), st.booleans(), st.floats(-100, 2000), st.floats(0, 1), st.integers(0, 5000), st.integers())
def test_every_request_has_one_fate(mode: FailureMode, new: bool, seconds: float, traffic: float, requests: int, seed: int):
    left_to = chance(str(seed), 1)
    parts = list(fates(mode, new=new, seconds=seconds, traffic=traffic, requests=requests, draw=left_to.draw, arrive=left_to.arrive))
    assert sum(part.requests for part in parts) == requests
    assert all(part.requests > 0 for part in parts)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_what_a_row_says_is_hurt_is_hurt(mode: FailureMode):
    """Over a quarter of an hour with all traffic, beyond what the old version does."""

    def hurt(new: bool) -> float:
        left_to = chance(mode.name, 1)
        ready = [second for second in range(0, 900, 5) if not (new and absent(mode, second))]
        parts = [
            part
            for second in ready
            for part in fates(mode, new=new, seconds=second, traffic=1, requests=100, draw=left_to.draw, arrive=left_to.arrive)
        ]
        return sum(part.requests for part in parts if part.hurt) / (100 * len(ready))

    worse = hurt(True) - hurt(False)
    if mode.bad:
        assert 0.25 * mode.hurts <= worse <= 1.2 * mode.hurts
    else:
        assert worse <= 0.004


TOLD = [
    ("ok", "http", Outcome.SUCCEEDED),
    ("503", "http", Outcome.FAILED),
    ("404", "http", Outcome.SUCCEEDED),
    ("hang", "http", Outcome.GIVEN_UP),
    ("leave", "http", Outcome.GIVEN_UP),
    ("cut", "http", Outcome.FAILED),
    ("refuse", "http", Outcome.FAILED),
    ("stream", "http", Outcome.SUCCEEDED),
    ("ok", "grpc", Outcome.SUCCEEDED),
    ("grpc 14", "grpc", Outcome.FAILED),
    ("grpc 5", "grpc", Outcome.SUCCEEDED),
    ("hang", "grpc", Outcome.GIVEN_UP),
    ("cut", "grpc", Outcome.FAILED),
    ("refuse", "grpc", Outcome.FAILED),
]


@pytest.mark.parametrize(("answer", "protocol", "outcome"), TOLD)
def test_answers_carry_the_labels_that_the_operator_knows_them_by(answer: str, protocol: str, outcome: Outcome):
    assert FailureCodes().outcome(labels(answer, protocol)) is outcome


def test_a_label_that_the_mesh_removes_is_missing():
    assert FailureCodes().outcome(labels("503", "http", "response_code")) is Outcome.UNTOLD
    assert FailureCodes().outcome(labels("grpc 13", "grpc", "grpc_response_status"), statuses=False) is Outcome.UNTOLD
