"""Preview and mirror: what the routes carry beside the weights, and when it goes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from canary_operator.api.traffic import Mirror, Preview, PreviewMatch
from canary_operator.release import reasons
from canary_operator.release.model import BARE, Decision, EnsureSubsets, EnsureWeights, Extras
from tests.builders import NOW, Situation, finding, labels, release

SHOWN, COPIED = Extras(preview=True), Extras(mirror=100)
PREVIEW = Preview(match=(PreviewMatch(header="x-preview", exact="yes"),))
SHOWING = release().having(preview=PREVIEW)
COPYING = release().having(mirror=Mirror(hold=timedelta(seconds=60)))
READY = COPYING.at_step(0).healthy()
MIRRORING = READY.routing(extras=COPIED).recorded(mirror_since=NOW - timedelta(seconds=20))


def written(decision: Decision) -> list[tuple[int, Extras]]:
    """Weights and extras that a decision writes."""
    return [(effect.canary, effect.extras) for effect in decision.effects if isinstance(effect, EnsureWeights)]


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        pytest.param(SHOWING.at_step(0).healthy(), [(0, SHOWN)], id="the preview comes before the first weight"),
        pytest.param(SHOWING.at_step(0).healthy().before_a_scrape().routing(extras=SHOWN), [(5, SHOWN)], id="it stays with the rise"),
        pytest.param(SHOWING.at_step(2, since=60), [(10, SHOWN)], id="missing: put back"),
        pytest.param(SHOWING.at_step(0).pods("v2", 0), [], id="no ready pod: no preview"),
        pytest.param(
            SHOWING.at_step(0).pods("v2", 0).routing(extras=SHOWN), [(0, BARE)], id="the last ready pod goes: so does the preview"
        ),
        pytest.param(SHOWING.at_step(2).pods("v2", 0).routing(extras=SHOWN), [(0, BARE)], id="the pods are lost: with the weight"),
        pytest.param(SHOWING.at_step(2).routing(extras=SHOWN).acting("abort/1/1"), [(0, BARE)], id="an abort: with the weight"),
        pytest.param(SHOWING.at_step(0).routing(extras=SHOWN).acting("abort/1/1"), [(0, BARE)], id="an abort before the first weight"),
        pytest.param(SHOWING.at_step(0).routing(extras=SHOWN).selecting(canary="v1"), [(0, BARE)], id="before any relabelling"),
        pytest.param(SHOWING.at_step(0).selecting(since=NOW), [], id="the subset has not settled: not yet"),
        pytest.param(release().at_step(2).routing(extras=SHOWN), [(10, BARE)], id="not asked for any more: taken out"),
        pytest.param(SHOWING.at_rest().wanting("v1").routing(extras=SHOWN), [(0, BARE)], id="at rest: taken out"),
        pytest.param(SHOWING.at_step(2).observing(attached=True), [], id="a user's route carries weights only"),
    ],
)
def test_the_preview(situation: Situation, expected: list[tuple[int, Extras]]) -> None:
    assert written(situation.decide()) == expected


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        pytest.param(READY, [(0, COPIED)], id="copies come before the first weight"),
        pytest.param(MIRRORING, [], id="for a while"),
        pytest.param(
            MIRRORING.before_a_scrape().recorded(mirror_since=NOW - timedelta(seconds=60)),
            [(5, BARE)],
            id="then the first weight, without copies",
        ),
        pytest.param(MIRRORING.acting("skip/1/1"), [(5, BARE)], id="a person skips it"),
        pytest.param(MIRRORING.pods("v2", 0), [(0, BARE)], id="the canary has no ready pod: no copies"),
        pytest.param(READY.observing(findings=(finding(),)), [], id="blocked: not begun"),
        pytest.param(READY.having(suspend=True), [], id="suspended: not begun"),
        pytest.param(READY.pods("v2", 0), [], id="no pods: not begun"),
        pytest.param(COPYING.at_step(1).routing(extras=COPIED), [(5, BARE)], id="after the first weight they are taken out"),
    ],
)
def test_the_mirror(situation: Situation, expected: list[tuple[int, Extras]]) -> None:
    assert written(situation.decide()) == expected


def test_the_copies_end_by_themselves() -> None:
    decision = MIRRORING.recorded(mirror_since=NOW - timedelta(seconds=50)).decide()
    assert (decision.because.reason, decision.look_again_in) == (reasons.MIRRORING, timedelta(seconds=10))


def test_a_canary_that_lost_its_weight_is_mirrored_again() -> None:
    lost = COPYING.at_step(1, since=60).pods("v2", 0).decide()
    assert lost.state.mirror_since is None
    back = replace(COPYING.at_step(0).healthy(), state=replace(lost.state, weight_since=NOW - timedelta(minutes=1)))
    assert written(back.decide()) == [(0, COPIED)]


def test_a_release_ends_without_extras_before_labels_change() -> None:
    ending = SHOWING.at_step(2).ending(reasons.ABORTED).routing(extras=SHOWN)
    assert written(ending.decide()) == [(0, BARE)]
    assert not [effect for effect in ending.decide().effects if isinstance(effect, EnsureSubsets)]


def test_a_promotion_takes_the_preview_home_with_the_weight() -> None:
    promoted = SHOWING.baking(since=600).healthy(seconds=600).routing(extras=SHOWN)
    assert labels(promoted.decide()) == [("v2", "v2")]
    assert written(promoted.decided().decide()) == [(0, BARE)]
