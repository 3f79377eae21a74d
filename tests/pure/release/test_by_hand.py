"""A person's way: from what `kubectl get -o yaml` shows, the odds of every verdict are computed anew and found to be those that were told.

The formulas are written here once more, from their description, on plain numbers: nothing of the product's is used but the text of its status.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from math import exp, isclose, log
from typing import Any

import pytest

from canary_operator.reconcile import as_json
from canary_operator.simulation.objects import as_stored
from tests.pure.release.tales import Story, people, verdicts

TOLERANCE, RULE_OUT = 0.001, 0.01
"""`errors.tolerance` and `errors.ruleOut` when they are left out."""
WORSE, NOT_WORSE = (1.5, 3.0, 10.0, 100.0), (0.0, 0.25, 0.5, 0.8)
"""How many times as often as stable the canary may fail: the bets that are averaged over."""
UNITS = {"million": 1e6, "billion": 1e9, "trillion": 1e12}
Status = dict[str, Any]
Told = tuple[str, float, float]
"""What was told of, the log of the odds in the text, and the one computed from status."""

COUNTS = r"canary failed (\d+) of (\d+) requests, stable (\d+) of (\d+)"
ODDS = r"(\S+(?: \w+illion)?:[\d.,]+(?: \w+illion)?)"


def ln(text: str) -> float:
    """`340:1`, `1:3.3`, `4.4 million:1`, `10^23:1`."""
    left, right = (_number(side) for side in text.split(":"))
    return left - right


def _number(text: str) -> float:
    if text.startswith("10^"):
        return float(text.removeprefix("10^")) * log(10)
    number, _, unit = text.partition(" ")
    return log(float(number.replace(",", "")) * UNITS.get(unit, 1.0))


def bet(weight: float, canary: Status, stable: Status, rho: float, forgiven: float) -> float:
    """Log of what the counts of one segment make of a bet on rho."""
    requests, served = canary["requests"], stable["requests"]
    if not requests or not served:
        return 0.0
    worst = []
    for share in (weight / 100, requests / (requests + served)):
        for_stable = 1 / (1 + (rho - 1) * share)
        for_canary = rho * for_stable
        total = stable["failures"] * log(for_stable) - forgiven * requests * (for_canary - 1)
        if canary["failures"]:
            total += canary["failures"] * log(for_canary) if for_canary else float("-inf")
        worst.append(total)
    return min(worst)


def since_some_segment(logs: Sequence[Callable[[float], float]]) -> float:
    """Log of the average over the bets and over the segment in which it may have begun."""
    m = len(logs)
    terms = [-log(m + 1)]
    for k in range(1, m + 1):
        terms += [sum(each(rho) for each in logs[k - 1 :]) - log(k * (k + 1) * len(WORSE)) for rho in WORSE]
    return _log_sum(terms)


def _log_sum(terms: Sequence[float]) -> float:
    top = max(terms)
    return top + log(sum(exp(term - top) for term in terms))


def worse(release: Status, forgiven: float = TOLERANCE) -> float:
    """Log of the odds that it is worse, from the segments in status."""
    segments, noise = release["evidence"]["segments"], release.get("baseline", {}).get("noise", 1.0)
    weight = segments[-1]["weight"]
    if weight == 100:
        beside = [each["stable"] for each in segments if each["weight"] < 100]
        known = [sum(each[what] for each in beside) for what in ("failures", "requests")]
        share = min(1.0, (known[0] + 1) / (known[1] + 1) + forgiven)
        alone = [each["canary"] for each in segments if each["weight"] == 100]
        return since_some_segment([lambda rho, c=c: (c["failures"] * log(rho) - c["requests"] * share * (rho - 1)) / noise for c in alone])  # type: ignore[misc]
    return since_some_segment([lambda rho, s=s: bet(s["weight"], s["canary"], s["stable"], rho, forgiven) / noise for s in segments])  # type: ignore[misc]


def not_worse(weight: int, counts: Sequence[int], noise: float) -> float:
    """Log of the odds that it is not worse, from the four numbers of a message."""
    canary, stable = {"failures": counts[0], "requests": counts[1]}, {"failures": counts[2], "requests": counts[3]}
    return _log_sum([bet(weight, canary, stable, rho, RULE_OUT) / noise for rho in NOT_WORSE]) - log(len(NOT_WORSE))


# ------------------------------------------------------------------------------------------------ what was told
def statuses(tale: Callable[[], Story]) -> Iterator[Status]:
    """Every status of a story that was written, as JSON."""
    for stored in tale().world.cluster.log:
        if stored.by == "operator" and stored.what == "resource" and stored.resource and stored.resource.status:
            yield as_json(as_stored(stored.resource.status))


def told(status: Status) -> Iterator[Told]:
    """Every number that a status tells, beside the same from its counts."""
    release, message = status["release"], status.get("message", "")
    noise = release.get("baseline", {}).get("noise", 1.0)
    evidence = release.get("evidence", {})
    counts = [int(each) for each in found.groups()] if (found := re.search(COUNTS, message)) else []
    # What a canary is held for is told as of then, and the evidence goes on.
    of_now = bool(evidence.get("segments")) and not release.get("held")
    if of_now and (found := re.search(rf"odds {ODDS} \(needed 100:1\) that it is worse by more than 0.1 points", message)):
        yield "worse", ln(found[1]), worse(release)
        if least := re.search(r"at least ([\d.]+) points? worse", message):
            # The largest difference at which the odds still pass the bar: with a little less they do, with a little more they do not.
            yield "at least", log(100) - 0.5, min(log(100) - 0.5, worse(release, float(least[1]) / 100 * 0.94))
            yield "no more than that", log(100) + 0.5, max(log(100) + 0.5, worse(release, float(least[1]) / 100 * 1.06))
    if found := re.search(rf"odds {ODDS} \(needed 20:1\) that it is not worse by 1 point", message):
        passed = release["plan"][release["step"] - 2 if status["phase"] == "Progressing" else release["step"] - 1]
        yield "not worse: passed", ln(found[1]), not_worse(passed["weight"], counts, noise)
    if found := re.search(rf"odds that it is not worse are {ODDS} of 20:1", message):
        yield "not worse: missing", ln(found[1]), not_worse(release["plan"][release["step"] - 1]["weight"], counts, noise)


CHOSEN = (
    verdicts.good_release,
    verdicts.twenty_percent_fail,
    verdicts.every_request_fails,
    verdicts.failures_begin_late,
    people.approval_is_awaited_and_the_canary_fails,
    verdicts.operator_restarts_mid_step,
    verdicts.prometheus_outage,
    people.skipped_by_hand_without_prometheus,
    verdicts.no_traffic,
)


@pytest.fixture(scope="module")
def numbers() -> list[tuple[str, Told]]:
    return [(f"{tale.__name__}: {status['message']}", each) for tale in CHOSEN for status in statuses(tale) for each in told(status)]


def test_every_odds_that_status_tells_follow_from_its_counts(numbers: list[tuple[str, Told]]) -> None:
    # Two figures are told, so one is off by up to 5 %; of 10^23 only the power is told.
    off = [where for where, (_, text, computed) in numbers if not isclose(text, computed, abs_tol=1.2 if "10^" in where else 0.055)]
    assert not off, off[0]


def test_every_kind_of_verdict_is_told_with_its_numbers(numbers: list[tuple[str, Told]]) -> None:
    assert {each[0] for _, each in numbers} == {"worse", "at least", "no more than that", "not worse: passed", "not worse: missing"}


def test_the_counts_in_a_message_are_those_of_the_evidence() -> None:
    """Of one span, both versions: while a step gathers, the settled counts of the step."""
    for status in (status for tale in CHOSEN for status in statuses(tale)):
        found, evidence = re.search(rf"^{COUNTS} in the same", status.get("message", "")), status["release"].get("evidence", {})
        if found and status["reason"] == "Gathering" and "of the" in status["message"]:
            canary, stable = evidence["canary"], evidence["stable"]
            assert [int(each) for each in found.groups()] == [
                canary["failures"],
                canary["requests"],
                stable["failures"],
                stable["requests"],
            ]
