"""Every finding is in the runbook."""

from canary_operator.preflight import finding
from canary_operator.preflight.meaning import MEANING


def test_every_reason_has_its_meaning() -> None:
    reasons = {value for name, value in vars(finding).items() if name.isupper() and isinstance(value, str)}
    assert set(MEANING) == reasons
