"""A verdict in one line, with the counts it rests on."""

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
    rules, ln, text = verdict.rules, verdict.ln_worse, _arms(verdict, evidence)
    against = f"it is worse by more than {points_text(rules.tolerance)}"
    if verdict.ln_limit is not None and verdict.ln_limit > ln:
        ln, against = verdict.ln_limit, f"it fails more than {100 * (rules.limit or 0.0):.3g} % of its requests"
    if rules.slowness is not None and _slow_is_loudest(verdict):
        ln, against = verdict.testimony.loudest, f"it is slow more often, by more than {points_text(rules.slowness.tolerance)}"
        text = _timed_arms(verdict, evidence)
    if verdict.blame is not None and verdict.blame.why is Why.PLAINLY_DOWN:
        text = f"canary failed {evidence.last.failures} of its last {evidence.last.requests} requests; {text}"
    least = f"{verdict.least:.2g}"
    least = f"; at least {points_text(float(least))} worse" if float(least) > 0.0 and not _slow_is_loudest(verdict) else ""
    noise = rules.slowness.noise if rules.slowness and _slow_is_loudest(verdict) else rules.noise
    clumps = f"; stable's own come in clumps of {noise:.2g}, so as many count as one" if noise >= LARGE_NOISE else ""
    return f"{text}; odds {odds_text(ln)} (needed {odds_text(rules.ln_bar)}) that {against}{least}{clumps}"


def _slow_is_loudest(verdict: Verdict) -> bool:
    """Slow answers are what speaks against the canary; what it is blamed for goes first."""
    if verdict.blame is not None:
        return verdict.blame.why is Why.SLOW
    return verdict.testimony.ln_slow is not None and verdict.testimony.ln_slow >= max(
        verdict.ln_worse, verdict.ln_limit or verdict.ln_worse
    )


def _timed_arms(verdict: Verdict, evidence: Evidence) -> str:
    canary, stable = (total(arms) for arms in zip(*((each.canary_timed, each.stable_timed) for each in evidence.segments), strict=True))
    where = f"in the same {seconds_text(evidence.observed)}"
    if evidence.weight == FULL:
        canary, where = total(each.canary_timed for each in evidence.segments if each.weight == FULL), "before"
    return f"canary was slow in {canary.failures} of {canary.requests} answers, stable in {stable.failures} of {stable.requests} {where}"


def _arms(verdict: Verdict, evidence: Evidence) -> str:
    """The counts of both arms: of the release if they speak against the canary, else of the settled step."""
    canary, stable, span = evidence.settled_canary, evidence.settled_stable, evidence.covered
    if verdict.word in (Word.WORSE, Word.SUSPECT):
        told = [attributed(part) for part in evidence.segments]
        canary, stable, span = total(part.canary for part in told), verdict.stable, evidence.observed
    where = f"in the same {seconds_text(span)}"
    if evidence.weight == FULL:
        canary, stable = total(part.canary for part in evidence.segments if part.weight == FULL), verdict.stable
        where = f"before; {seconds_text(evidence.covered)} observed at 100 %"
    return f"canary failed {canary.failures} of {canary.requests} requests, stable {stable.failures} of {stable.requests} {where}"


def _may_rise(verdict: Verdict) -> str:
    if verdict.word is Word.NOT_WORSE:
        worse = points_text(verdict.rules.rule_out)
        return f"odds {odds_text(verdict.ln_not_worse)} (needed 20:1) that it is not worse by {worse}"
    if not verdict.rules.hold_max:
        return "nothing speaks against it"
    return f"nothing speaks against it after {seconds_text(verdict.rules.hold_max)}"
