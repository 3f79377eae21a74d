"""A verdict in one line, with the counts it rests on."""

from dataclasses import dataclass, replace

from canary_operator.analysis.counters import total
from canary_operator.analysis.nobody import attributed
from canary_operator.analysis.record import Evidence
from canary_operator.analysis.verdict import Verdict, Word
from canary_operator.analysis.witnesses import FULL, Why
from canary_operator.analysis.wording import odds_text, points_text, seconds_text

LARGE_NOISE = 1.05
"""A noise factor from which it is told."""


def sentence(verdict: Verdict, evidence: Evidence) -> str:
    """The verdict in one line, with the counts it rests on."""
    if verdict.word not in (Word.WORSE, Word.SUSPECT):
        return f"{_arms(verdict, evidence)}; {verdict.missing or _may_rise(verdict)}"
    said = _loudest(verdict, evidence)
    text = said.text
    if verdict.blame is not None and verdict.blame.why is Why.PLAINLY_DOWN and evidence.last.failures:
        text = f"canary failed {evidence.last.failures} of its last {evidence.last.requests} requests; {text}"
    least = f"{verdict.least:.2g}" if said.failures else "0"
    least = f"; at least {points_text(float(least))} worse" if float(least) > 0.0 else ""
    clumps = f"; stable's own come in clumps of {said.noise:.2g}, so as many count as one" if said.noise >= LARGE_NOISE else ""
    return f"{text}; odds {odds_text(said.ln)} (needed {odds_text(said.bar)}) that {said.against}{least}{clumps}"


@dataclass(frozen=True, slots=True)
class _Said:
    """What the loudest witness says."""

    ln: float
    bar: float
    """Log of the odds that it needs."""
    against: str
    text: str
    """The counts."""
    noise: float
    failures: bool = False
    """It speaks of failures."""


def _loudest(verdict: Verdict, evidence: Evidence) -> _Said:
    """Of what it is blamed for, else of the largest odds."""
    rules, testimony, blamed = verdict.rules, verdict.testimony, verdict.blame and verdict.blame.why
    more = f"by more than {points_text(rules.tolerance)}"
    failing = _Said(verdict.ln_worse, rules.ln_bar, f"it is worse {more}", _arms(verdict, evidence), rules.noise, failures=True)
    if verdict.ln_limit is not None and verdict.ln_limit > verdict.ln_worse:
        over = f"it fails more than {100 * (rules.limit or 0.0):.3g} % of its requests"
        failing = replace(failing, ln=verdict.ln_limit, against=over)
    told = {Why.ODDS: failing}
    if testimony.ln_given_up is not None:
        often, counts = f"callers give up its requests more often, {more}", _given_up_arms(evidence)
        told[Why.GIVEN_UP] = _Said(testimony.ln_given_up, rules.ln_given_up_bar, often, counts, rules.given_up_noise)
    if rules.slowness is not None and testimony.ln_slow is not None:
        slower = f"it is slow more often, by more than {points_text(rules.slowness.tolerance)}"
        told[Why.SLOW] = _Said(testimony.ln_slow, rules.ln_bar, slower, _timed_arms(verdict, evidence), rules.slowness.noise)
    if blamed in told:
        return told[blamed]
    if blamed is Why.LIMIT:
        return failing
    # Of equal odds the later one is told: what is slow, or given up, says more than that something fails.
    return max(reversed(told.values()), key=lambda each: each.ln)


def _timed_arms(verdict: Verdict, evidence: Evidence) -> str:
    canary, stable = (total(arms) for arms in zip(*((each.canary_timed, each.stable_timed) for each in evidence.segments), strict=True))
    where = f"in the same {seconds_text(evidence.observed)}"
    if evidence.weight == FULL:
        canary, where = total(each.canary_timed for each in evidence.segments if each.weight == FULL), "before"
    return f"canary was slow in {canary.failures} of {canary.requests} answers, stable in {stable.failures} of {stable.requests} {where}"


def _given_up_arms(evidence: Evidence) -> str:
    left = [part.given_up for part in evidence.segments]
    canary, stable = total(part.canary for part in left), total(part.stable for part in left)
    where = f"in the same {seconds_text(evidence.observed)}"
    if evidence.weight == FULL:
        canary, where = total(part.canary for part in left if part.weight == FULL), "before"
    return f"callers gave up {canary.failures} of {canary.requests} requests to the canary, {stable.failures} of {stable.requests} to stable {where}"


def _arms(verdict: Verdict, evidence: Evidence) -> str:
    """The counts of both arms: of the release if they speak against the canary, else of the settled step."""
    canary, stable, span = evidence.settled_canary, evidence.settled_stable, evidence.covered
    if verdict.word in (Word.WORSE, Word.SUSPECT):
        told = [attributed(part) for part in evidence.segments]
        canary, stable, span = total(part.canary for part in told), verdict.stable, evidence.observed
    where = f"in the same {seconds_text(span)}"
    if evidence.weight == FULL:
        canary, stable = total(attributed(part).canary for part in evidence.segments if part.weight == FULL), verdict.stable
        where = f"before; {seconds_text(evidence.covered)} observed at 100 %"
    elif verdict.rules.before is not None and not stable.requests:
        stable, where = verdict.rules.before, "before the release; nobody counts stable now"
    return f"canary failed {canary.failures} of {canary.requests} requests, stable {stable.failures} of {stable.requests} {where}"


def _may_rise(verdict: Verdict) -> str:
    if verdict.word is Word.NOT_WORSE:
        worse = points_text(verdict.rules.rule_out)
        return f"odds {odds_text(verdict.ln_not_worse)} (needed 20:1) that it is not worse by {worse}"
    if not verdict.rules.hold_max:
        return "nothing speaks against it"
    return f"nothing speaks against it after {seconds_text(verdict.rules.hold_max)}"
