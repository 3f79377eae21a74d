"""Status as the API stores it: short at rest, whole while a release runs, and read back as it was."""

import pytest
from pydantic import TypeAdapter

from canary_operator.api.status import CanaryReleaseStatus, Outcome
from canary_operator.reconcile import as_json
from canary_operator.release import reasons
from tests.builders import Situation, release

_STATUS: TypeAdapter[CanaryReleaseStatus] = TypeAdapter(CanaryReleaseStatus)


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(release(), id="before the adoption"),
        pytest.param(release().at_rest().wanting("v1"), id="at rest"),
        pytest.param(release().at_step(2, since=60).healthy(), id="in a step"),
        pytest.param(release().at_step(2, since=60).failing(1.0), id="rolling back"),
        pytest.param(release().ended(Outcome.WITHDRAWN, reasons.ABORTED).deployed("v2"), id="withdrawn"),
    ],
)
def test_what_is_stored_is_read_back_unchanged(situation: Situation) -> None:
    stored = as_json(situation.status())
    assert as_json(_STATUS.validate_python(stored)) == stored
    assert (
        _STATUS.validate_python(stored).release
        == _STATUS.validate_python(stored | {"release": stored["release"] | {"lost": False}}).release
    )


def test_the_record_at_rest_is_a_few_figures() -> None:
    assert as_json(release().at_rest().wanting("v1").status())["release"] == {
        "number": 0,
        "state": "Stable",
        "step": 0,
        "weight": 0,
        "seq": 2,
        "stablePods": 4,
        "stableVersion": "",
    }


def test_evidence_is_stored_with_its_zeros() -> None:
    evidence = as_json(release().at_step(2, since=60).healthy().status())["release"]["evidence"]
    assert evidence["segments"][-1]["canary"]["failures"] == 0
