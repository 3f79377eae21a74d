"""Which version is taken for stable when a service is taken over, and what is said when nobody knows."""

from dataclasses import replace

import pytest

from canary_operator.api.record import State
from canary_operator.release import reasons
from canary_operator.release.model import Announce, Mark, RouteSeen, SubsetsSeen
from tests.builders import LONG_AGO, UID, Situation, labels, release, serving, weights

BOTH = release().deployed("v2")
LATER = release().observing(versions={"v2": serving("v2")})
LEFT = SubsetsSeen("v1", "v1", None, LONG_AGO)
"""What an earlier CanaryRelease left behind, pinned to v1."""


@pytest.mark.parametrize(
    ("situation", "stable"),
    [
        pytest.param(release(), "v1", id="the only one that serves"),
        pytest.param(BOTH.having(stable_version="v2"), "v2", id="several serve: the one that the spec names"),
        pytest.param(LATER.observing(subsets=LEFT).having(stable_version="v2"), "v2", id="the subsets name one that serves no more"),
    ],
)
def test_the_version_that_the_subsets_are_pointed_at(situation: Situation, stable: str) -> None:
    [(selected, _)] = labels(situation.decide())
    assert selected == stable


def test_a_route_that_was_left_behind_is_pointed_at_what_serves() -> None:
    mark = Mark("another", 3, 9, 0, reasons.DELETING)
    behind = LATER.observing(route=RouteSeen(0, True, mark, LONG_AGO), subsets=LEFT).having(stable_version="v2")
    assert labels(behind.decide()) == [("v2", "v1")]


def test_what_the_subsets_select_and_serves_is_stable_whatever_the_spec_says() -> None:
    """Requests go there now, and taking over moves none. The subsets are marked as ours, so that a deletion and an uninstall know them."""
    decision = BOTH.observing(subsets=LEFT).having(stable_version="v2").decide()
    assert (decision.because.reason, labels(decision), weights(decision)) == (reasons.ADOPTING, [("v1", "v1")], [])
    ours = replace(LEFT, mark=Mark(UID, 0, 1, 0, reasons.ADOPTING))
    decision = BOTH.observing(subsets=ours).having(stable_version="v2").decide()
    assert (decision.because.reason, labels(decision), weights(decision)) == (reasons.ADOPTING, [], [0])


@pytest.mark.parametrize(
    ("situation", "reason", "words"),
    [
        pytest.param(
            release().observing(versions={}), reasons.NOTHING_SERVES, "deploy the version that should serve now", id="nothing serves"
        ),
        pytest.param(BOTH, reasons.STABLE_UNKNOWN, "(v1, v2); write the one that is stable now in spec.stableVersion", id="several serve"),
        pytest.param(
            BOTH.having(stable_version="v3"),
            reasons.STABLE_UNKNOWN,
            "serving: v1, v2; bring it back, or write",
            id="the spec names another",
        ),
        pytest.param(LATER.observing(subsets=LEFT), reasons.STABLE_UNKNOWN, "serving: v2; bring it back, or write", id="so do the subsets"),
    ],
)
def test_nothing_is_written_while_nobody_knows(situation: Situation, reason: str, words: str) -> None:
    decision = situation.decide()
    assert (decision.because.reason, decision.phase, decision.effects) == (reason, "Blocked", ())
    assert words in decision.because.message


def test_subsets_that_are_nobodys_are_marked_without_a_new_label_while_the_canary_has_weight() -> None:
    left = release().at_rest().observing(stable=None, finalizer=False).recorded(state=State.INITIALIZING, seq=0)
    decision = left.wanting("v1").deployed("v2").routing(weight=40, mark=None).selecting(canary="v2", mark=None).decide()
    assert labels(decision) in ([], [("v1", "v2")])


def test_an_adoption_beside_other_versions_warns_that_their_requests_move() -> None:
    done = release().at_rest().recorded(state=State.INITIALIZING)
    [alone] = [each for each in done.decide().effects if isinstance(each, Announce)]
    [beside] = [each for each in done.having(stable_version="v1").deployed("v2", pods=3).decide().effects if isinstance(each, Announce)]
    assert (alone.warning, beside.warning) == (False, True)
    assert "the requests that v2 answered with 3 ready pods until now go to stable too" in beside.because.message
