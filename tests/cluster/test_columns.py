"""What kubectl shows of a CanaryRelease: the columns, waiting, explaining."""

import re

import pytest

from tests.cluster.clients import Document, Kubectl, Releases

SPEC = {"service": {"name": "reviews"}, "version": "v2"}
SINCE = "2026-01-02T03:04:05Z"
CONDITION = {
    "type": "Promoted",
    "status": "True",
    "reason": "Promoted",
    "message": "v2 serves everything",
    "observedGeneration": 1,
    "lastTransitionTime": SINCE,
}
STATUS: Document = {
    "observedGeneration": 1,
    "phase": "Progressing",
    "service": "reviews",
    "stable": "v1@5d8f",
    "canary": "v2@7c9b",
    "weight": 25,
    "step": "3/4",
    "reason": "Observing",
    "message": "2 of 1204 requests failed",
    "since": SINCE,
    "verdict": "18:1 for not worse",
}


@pytest.fixture
def shown(releases: Releases) -> Releases:
    releases.create(SPEC)
    releases.patch_status({"status": STATUS})
    return releases


def _table(text: str) -> list[dict[str, str]]:
    """kubectl's columns by their headings, which stand where the columns begin."""
    heading, *lines = text.splitlines()
    words = list(re.finditer(r"\S+", heading))
    ends = [*(word.start() for word in words[1:]), None]
    return [{word[0]: line[word.start() : end].strip() for word, end in zip(words, ends, strict=True)} for line in lines]


def test_get_tells_the_story_in_one_line(shown: Releases, kubectl: Kubectl) -> None:
    [row] = _table(kubectl("get", "canaryreleases", "-n", shown.namespace))

    assert list(row) == ["NAME", "PHASE", "STABLE", "CANARY", "WEIGHT", "STEP", "REASON", "SINCE"]
    assert row.pop("SINCE").endswith("d")  # as an age, not as a time
    assert row == {
        "NAME": "reviews",
        "PHASE": "Progressing",
        "STABLE": "v1@5d8f",
        "CANARY": "v2@7c9b",
        "WEIGHT": "25",
        "STEP": "3/4",
        "REASON": "Observing",
    }


def test_get_wide_adds_the_evidence(shown: Releases, kubectl: Kubectl) -> None:
    [row] = _table(kubectl("get", "crel", "-o", "wide", "-n", shown.namespace))

    assert list(row)[8:] == ["SERVICE", "VERDICT", "MESSAGE", "AGE"]
    assert (row["SERVICE"], row["VERDICT"], row["MESSAGE"]) == ("reviews", "18:1 for not worse", "2 of 1204 requests failed")
    assert row["AGE"].endswith("s")


def test_get_shows_a_release_that_was_never_looked_at(releases: Releases, kubectl: Kubectl) -> None:
    releases.create(SPEC)

    [row] = _table(kubectl("get", "crel", "-n", releases.namespace))

    assert (row["NAME"], row["PHASE"], row["WEIGHT"]) == ("reviews", "", "")


def test_the_category_lists_it(shown: Releases, kubectl: Kubectl) -> None:
    assert "reviews" in kubectl("get", "delivery", "-n", shown.namespace)


def test_wait_returns_when_promoted(shown: Releases, kubectl: Kubectl) -> None:
    wait = ("wait", "--for=condition=Promoted", "crel/reviews", "-n", shown.namespace)

    assert "timed out" in kubectl.complaint(*wait, "--timeout=200ms")
    shown.patch_status({"status": {"conditions": [CONDITION]}})
    assert "condition met" in kubectl(*wait, "--timeout=10s")


def test_wait_believes_no_condition_of_an_older_generation(shown: Releases, kubectl: Kubectl) -> None:
    shown.patch_status({"status": {"conditions": [CONDITION]}})
    shown.patch({"spec": {"version": "v3"}})

    assert "timed out" in kubectl.complaint("wait", "--for=condition=Promoted", "crel/reviews", "-n", shown.namespace, "--timeout=200ms")


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("canaryrelease", "Moves the traffic of one Service to a new version step by step"),
        ("canaryrelease.spec.steps", "The weights on the way to 100 percent; 5, 10, 25, 50 when left out."),
        ("crel.spec.steps.hold.min", "Never faster than this, however good the evidence."),
        ("crel.spec.analysis.errors.grpc", "gRPC codes that are failures."),
        ("crel.status.release.state", "One of Initializing, Stable, Progressing, Promoting, RollingBack, Withdrawing."),
    ],
)
def test_explain_prints_our_text(kubectl: Kubectl, field: str, said: str) -> None:
    assert said in " ".join(kubectl("explain", field).split())
