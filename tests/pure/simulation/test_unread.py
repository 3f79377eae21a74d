"""Scrapes that wait are counted as if each had been folded when it came."""

from datetime import UTC, datetime, timedelta

import pytest

from canary_operator.analysis.counters import Interval
from canary_operator.analysis.folding import Folding
from canary_operator.analysis.odds import Counts
from canary_operator.analysis.record import Evidence
from canary_operator.api.record import ReleaseRecord, State
from canary_operator.api.spec import CanaryReleaseSpec, ServiceRef
from canary_operator.release.evidence import rules_of, yardstick_of
from canary_operator.release.record import evidence_of
from canary_operator.simulation.unread import Unread

SPEC = CanaryReleaseSpec(service=ServiceRef(name="reviews"), version="v2")
SINCE = 1_700_000_000.0
SETTLED = SINCE + SPEC.settle / timedelta(seconds=1)
RECORD = ReleaseRecord(state=State.PROGRESSING, number=1, weight=50, step=1, weight_since=datetime.fromtimestamp(SINCE, UTC))


def scrape(number: int, canary: Counts) -> Interval:
    """The one that ends so many quarters of a minute after the write; stable fails as a good canary does."""
    until = SINCE + 15.0 * number
    return Interval("proxy", until - 15.0, until, canary, Counts(1000, 10), True, True)


def one_by_one(scrapes: list[Interval]) -> Evidence:
    evidence = evidence_of(RECORD)
    folding = Folding(evidence, SINCE, SETTLED, rules_of(SPEC, RECORD), yardstick_of(RECORD, evidence))
    for each in scrapes:
        folding.look_at([each])
        folding.add([each])
    return folding.known()


CALM = [scrape(number, Counts(1000, 10)) for number in range(1, 21)]
PERFECT = [scrape(number, Counts(1000, 0)) for number in range(1, 45)]


@pytest.mark.parametrize(
    "scrapes",
    [
        pytest.param(CALM, id="of which each is heard"),
        pytest.param(PERFECT, id="without a failure, and beyond the end of a segment"),
        pytest.param(
            [each._replace(canary=Counts(), canary_seen=False) if number in (22, 23) else each for number, each in enumerate(PERFECT)],
            id="of which two miss the canary",
        ),
        pytest.param(
            [each._replace(target=f"proxy-{number % 2}", since=each.since - 15.0) for number, each in enumerate(PERFECT)],
            id="of two proxies in turn",
        ),
    ],
)
def test_what_is_known_of_scrapes_that_waited(scrapes: list[Interval]) -> None:
    unread = Unread(SPEC, RECORD, SETTLED, [])
    for each in scrapes:
        unread.add(each)
    assert unread.known == one_by_one(scrapes)


def test_failures_at_the_beginning_of_a_segment_do_not_wait() -> None:
    unread = Unread(SPEC, RECORD, SETTLED, [])
    for each in CALM:
        unread.add(each)
    assert not unread.suspicious
    unread.add(scrape(21, Counts(8, 8))._replace(stable=Counts(8, 0)))
    assert unread.suspicious
