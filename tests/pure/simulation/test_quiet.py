"""Looks that a play leaves out change nothing of it: a story, which leaves none out, goes the same way to the last request."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator.api.pace import Pace
from canary_operator.api.spec import CanaryReleaseSpec, Hold, ServiceRef, Step
from canary_operator.cli.chance import chance
from canary_operator.simulation.assumed import Assumed, Incident
from canary_operator.simulation.play import play, story

SPEC = CanaryReleaseSpec(service=ServiceRef(name="reviews"), version="v2")
PACED = replace(SPEC, pace=Pace(failure_budget=20, min_duration=timedelta(minutes=2)))
SHORT = Hold(min=timedelta(seconds=30), max=timedelta(minutes=2))
PATIENT = replace(SPEC, steps=(Step(weight=20, hold=Hold(min=timedelta(0), max=timedelta(hours=1))),), bake=timedelta(seconds=30))
ONLY_WITH_DATA = replace(SPEC, analysis=replace(SPEC.analysis, insufficient_data="Hold", deadline=timedelta(minutes=15)))
GATED = replace(SPEC, steps=(Step(weight=20, hold=SHORT), Step(weight=50, hold=SHORT, approval="Required")), on_failure="Hold")
LIMITED = replace(SPEC, analysis=replace(SPEC.analysis, errors=replace(SPEC.analysis.errors, limit=0.03)), settle=timedelta(0))
MOST = 1500.0

shares = st.sampled_from([0.0, 0.001, 0.01, 0.05])
incidents = st.builds(lambda since, length, share: Incident(since, since + length, share), st.floats(5, 300), st.floats(10, 300), shares)
assumptions = st.builds(
    Assumed,
    rate=st.sampled_from([0.1, 2.0, 20.0, 100.0]),
    stable_fails=shares,
    canary_fails=st.sampled_from([None, None, 0.01, 0.05, 1.0]),
    fails_from=st.sampled_from([0.0, 100.0]),
    scrape=st.sampled_from([5.0, 10.0, 15.0, 30.0]),
    proxies=st.sampled_from([1, 1, 2, 5]),
    clump=st.sampled_from([1, 10]),
    incident=st.one_of(st.none(), incidents),
    reaction=st.sampled_from([0.3, 2.0]),
    approve_after=st.sampled_from([0.0, 30.0]),
)


def both(spec: CanaryReleaseSpec, assumed: Assumed, seed: str) -> tuple[object, object]:
    quick = play(spec, assumed, chance(seed, assumed.proxies), most=MOST)
    return quick, story(spec, assumed, chance(seed, assumed.proxies), most=MOST).played


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([SPEC, PACED, PATIENT, ONLY_WITH_DATA, GATED, LIMITED]), assumptions, st.integers(0, 1000))
def test_a_release_goes_as_if_the_operator_looked_at_every_scrape(spec: CanaryReleaseSpec, assumed: Assumed, seed: int) -> None:
    quick, plain = both(spec, assumed, str(seed))
    assert quick == plain


HIDDEN = Assumed(rate=20.0, stable_fails=0.01, fails_from=100.0, scrape=10.0, reaction=0.3)
RARE = Assumed(rate=2.0, stable_fails=0.05, canary_fails=1.0, scrape=15.0, proxies=5, clump=10, reaction=0.3)
TWICE = Assumed(rate=3.0, stable_fails=0.2, canary_fails=0.05, fails_from_weight=25, scrape=10.0, clump=10, reaction=0.3)


@pytest.mark.parametrize(
    ("spec", "assumed", "seed"),
    [
        pytest.param(SPEC, Assumed(canary_fails=0.5, fails_from=30.0, scrape=5.0), "0", id="a fault that begins in the middle of a hold"),
        pytest.param(SPEC, Assumed(stable_fails=0.0, incident=Incident(30.0, 400.0, 0.3), rate=20.0, scrape=5.0), "0", id="an incident"),
        pytest.param(SPEC, TWICE, "z/8", id="two short incidents, which are not a long one"),
        pytest.param(ONLY_WITH_DATA, Assumed(rate=0.2, scrape=5.0), "0", id="a deadline"),
        pytest.param(PATIENT, Assumed(rate=10.0, scrape=5.0), "0", id="a step that only its odds can end"),
        pytest.param(PACED, Assumed(scrape=5.0), "0", id="a pace at its highest weight"),
        pytest.param(
            PATIENT, Assumed(rate=10.0, stable_fails=0.02, canary_fails=0.06, fails_from=700.0), "0", id="a fault in a later segment"
        ),
        pytest.param(
            PATIENT, Assumed(canary_fails=1.0, fails_from=700.0, stable_fails=0.02), "0", id="a canary that is plainly down all at once"
        ),
        pytest.param(PATIENT, Assumed(rate=0.1), "0", id="a release whose time is up"),
        pytest.param(
            PATIENT, Assumed(rate=0.1, stable_fails=0.0, scrape=10.0, reaction=0.3), "1", id="time that is up just when a sample is hidden"
        ),
        pytest.param(GATED, HIDDEN, "42", id="a sample that was hidden when the release began"),
        pytest.param(ONLY_WITH_DATA, RARE, "38", id="a quarter of an hour of scrapes without a look, by five proxies"),
        pytest.param(PATIENT, replace(RARE, canary_fails=None), "18", id="so long that nothing is written, where a look has to"),
        pytest.param(SPEC, Assumed(stable_fails=0.01, canary_fails=0.013), "3", id="failures that may be chance"),
        pytest.param(
            SPEC, Assumed(stable_fails=0.01, canary_fails=0.013, proxies=3), "3", id="failures that may be chance, of three proxies"
        ),
    ],
)
def test_nothing_that_can_end_a_step_is_slept_through(spec: CanaryReleaseSpec, assumed: Assumed, seed: str) -> None:
    quick, plain = both(spec, assumed, seed)
    assert quick == plain
