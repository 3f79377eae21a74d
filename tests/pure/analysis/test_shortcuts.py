"""What is remembered and summed up on the way changes nothing: the plain way, which makes every value anew, says exactly the same."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from canary_operator.analysis.counters import Interval
from canary_operator.analysis.evidence import Evidence, fold
from canary_operator.analysis.odds import NOTHING, Counts, Segment, log_odds_above_since, log_odds_worse
from canary_operator.analysis.record import Suspect
from canary_operator.analysis.witnesses import FULL, LN_SUSPECT, Rules, Slowness, against, harmless
from tests.pure.analysis import plain
from tests.pure.analysis.worlds import EPOCH, few, worlds

NEARLY = 1e-9
"""The same sums in another order differ by so much at most: a billionth of the odds."""


@st.composite
def counts(draw: st.DrawFn, most: int = 2000) -> Counts:
    requests = draw(st.integers(0, most))
    return Counts(requests, draw(st.integers(0, requests)))


segments = st.builds(
    Segment,
    st.sampled_from([0, 1, 5, 25, 50, 100]),
    counts(),
    counts(20_000),
    st.sampled_from([0, 0, 0, 3, 40]),
    counts(),
    counts(),
    st.sampled_from([0, 0, 1, 40]),
    st.sampled_from([0, 0, 5, 400]),
)
rules = st.builds(
    Rules,
    limit=st.sampled_from([None, 0.05]),
    noise=st.sampled_from([1.0, 2.7]),
    same_scrape=st.booleans(),
    slowness=st.sampled_from([None, Slowness(warmup=10.0)]),
    lost_before=st.sampled_from([0.0, 0.01]),
    before=st.sampled_from([None, None, Counts(), Counts(900, 9)]),
    given_up_noise=st.sampled_from([1.0, 1.9]),
)


@few
@given(st.lists(segments, max_size=9), st.sampled_from([0.0, 0.001, 0.02]), st.sampled_from([1.0, 2.7]))
def test_the_odds_are_those_of_the_formula(found: list[Segment], tolerance: float, noise: float) -> None:
    canary = [segment.canary for segment in found]
    assert log_odds_worse(found, tolerance, noise) == pytest.approx(plain.odds_worse(found, tolerance, noise), abs=NEARLY)
    assert log_odds_above_since(tolerance, canary, noise) == pytest.approx(plain.odds_above_since(tolerance, canary, noise), abs=NEARLY)


@few
@given(st.lists(segments, max_size=6), rules, st.sampled_from([5, 100]), counts())
def test_the_same_witnesses_say_the_same(found: list[Segment], judged: Rules, weight: int, stable: Counts) -> None:
    said, plainly = against(found, judged, weight=weight, stable=stable), plain.against(found, judged, weight, stable)
    assert said.loudest == pytest.approx(max(plainly.values()), abs=NEARLY)
    assert said.accusing(judged) == plain.accused(plainly, judged)


@few
@given(
    worlds(),
    st.lists(st.floats(0.0, 1.0), max_size=4),
    st.lists(rules, min_size=5, max_size=5),
    st.sampled_from([5, 100]),
    st.sampled_from([None, -30.0, 0.0, 22.0]),
    st.sampled_from([None, 7.0, 31.0]),
    st.sampled_from([None, Counts(500, 2)]),
    st.booleans(),
    st.sampled_from([0, 2, 5]),
)
def test_every_look_folds_to_the_same_evidence(world, times, judged, weight, since, settled, stable, timed, given_up) -> None:
    """Looks at any times, each from what the one before stored, by the rules of its time: as the operator does from one checkpoint to the next."""
    started = None if since is None else EPOCH + since
    facts = {
        "weight": weight,
        "since": started,
        "settled_at": None if started is None or settled is None else started + settled,
        "stable": stable,
    }
    evidence = Evidence()
    for time, by in zip((*sorted(times), 1.0), judged, strict=False):
        found = world.intervals(time * world.end)
        if timed:
            found = tuple(
                each._replace(
                    lost=each.canary.failures // 2,
                    canary_timed=Counts(each.canary.requests, each.canary.requests // 3 if number % 3 else 0),
                    stable_timed=each.stable,
                )
                for number, each in enumerate(found)
            )
        if given_up:
            found = tuple(
                each._replace(canary_given_up=each.canary.requests // given_up * (number % 2), stable_given_up=each.stable.failures)
                for number, each in enumerate(found)
            )
        quick = fold(evidence, found, rules=by, **facts)
        assert quick == plain.fold(evidence, found, rules=by, **facts)
        evidence = quick.committed


def test_failures_at_the_beginning_of_a_segment_are_heard_though_before_it_they_would_have_been_chance() -> None:
    calm = [Interval("proxy", at - 15.0, at, Counts(1000, 10), Counts(1000, 10), True, True) for at in range(1015, 1300, 15)]
    fault = Interval("proxy", 1300.0, 1315.0, Counts(8, 8), Counts(8, 0), True, True)
    facts = {"weight": 50, "since": 1000.0, "settled_at": 1000.0, "rules": Rules()}
    known = fold(Evidence(), [*calm, fault], **facts).now
    assert known == plain.fold(Evidence(), [*calm, fault], **facts).now
    assert known.suspect == Suspect(1315.0, 10 * len(calm) + 8)


FAILING_ALIKE = Segment(5, Counts(1000, 200), Counts(19_000, 3800))
BAKING = Segment(100, Counts(20_000, 4000))
UNDER_LIMIT = Segment(5, Counts(1000, 245), Counts(19_000, 4655))
STABLE = Counts(19_000, 3800)


@pytest.mark.parametrize(
    ("segment", "judged", "weight", "more", "expected"),
    [
        pytest.param(FAILING_ALIKE, Rules(), 5, 0, True, id="it fails as stable does"),
        pytest.param(FAILING_ALIKE, Rules(limit=0.1), 5, 0, False, id="and more than the limit"),
        pytest.param(FAILING_ALIKE, Rules(limit=0.3), 5, 0, True, id="and less than the limit"),
        pytest.param(BAKING, Rules(), 100, 0, True, id="alone, it fails as stable did"),
        pytest.param(replace(BAKING, canary=Counts(20_000, 6000)), Rules(), 100, 0, False, id="alone, it fails more than stable did"),
        pytest.param(FAILING_ALIKE, Rules(), 100, 0, False, id="it has been alone since the last scrape"),
        pytest.param(replace(FAILING_ALIKE, lost=1), Rules(), 5, 0, False, id="nobody can tell yet whose a failure was"),
        pytest.param(Segment(5, Counts(1000, 220), Counts(19_000, 3800)), Rules(), 5, 0, True, id="a little more, by chance"),
        pytest.param(Segment(5, Counts(1000, 220), Counts(19_000, 3800)), Rules(), 5, 60, False, id="sixty more would be too many"),
        pytest.param(FAILING_ALIKE, Rules(), 5, 8, True, id="eight more would be chance"),
        pytest.param(UNDER_LIMIT, Rules(limit=0.2), 5, 0, True, id="no more than chance over the limit"),
        pytest.param(UNDER_LIMIT, Rules(limit=0.2), 5, 30, False, id="thirty more would be over the limit"),
        pytest.param(Segment(5, Counts(1000, 300), Counts(19_000, 3800)), Rules(), 5, 0, False, id="far more"),
    ],
)
def test_who_can_only_be_suspected_for_more_failures_is_harmless(
    segment: Segment, judged: Rules, weight: int, more: int, expected: bool
) -> None:
    assert harmless([segment], judged, weight=weight, stable=STABLE, more=more) is expected


def test_who_is_alone_beside_a_stable_that_nobody_knows_is_not_harmless() -> None:
    assert not harmless([BAKING], Rules(), weight=100, stable=NOTHING)


@st.composite
def alike(draw: st.DrawFn, weight: int) -> Segment:
    """Both fail about as often, for a short time or a long one."""
    share, requests = draw(st.sampled_from([0.0, 0.001, 0.02, 0.3])), draw(st.integers(8, 20_000))
    canary = Counts(requests, min(requests, int(share * requests) + draw(st.integers(0, 3))))
    return Segment(weight, canary, NOTHING if weight == FULL else Counts(3 * requests, int(3 * share * requests)))


@few
@given(
    st.sampled_from([5, 50, 100]).flatmap(lambda weight: st.lists(alike(weight), min_size=1, max_size=3)),
    st.builds(Rules, limit=st.sampled_from([None, 0.4]), noise=st.sampled_from([1.0, 2.7])),
    alike(5),
    st.integers(0, 8),
    counts(),
    counts(20_000),
)
def test_nobody_suspects_a_harmless_canary_until_it_fails_too_often(  # noqa: PLR0913 (what is there, and what comes)
    found: list[Segment], judged: Rules, before: Segment, more: int, canary: Counts, beside: Counts
) -> None:
    weight, stable = found[-1].weight, before.stable
    assume(harmless(found, judged, weight=weight, stable=stable, more=more))
    coming = Segment(weight, Counts(max(more, canary.requests), more), NOTHING if weight == FULL else beside)
    assert against([*found[:-1], found[-1] + coming], judged, weight=weight, stable=stable).ln_failing < LN_SUSPECT
