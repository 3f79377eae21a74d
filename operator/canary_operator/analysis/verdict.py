"""What the evidence means: may the canary rise, must it wait, must it go back?

Refuses to act and to weigh the clock of the plan (deadline, approval): those are the release's.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from math import log

from canary_operator.analysis.incident import incident
from canary_operator.analysis.nobody import blamed_on_canary
from canary_operator.analysis.odds import Counts, excess_at_least, excess_at_most, log_odds_not_worse
from canary_operator.analysis.record import Blame, Evidence
from canary_operator.analysis.witnesses import FULL, LN_SUSPECT, Rules, Testimony, Why, hear, stable_of
from canary_operator.analysis.wording import odds_text, seconds_text

__all__ = [
    "Blame",
    "Rules",
    "Verdict",
    "Why",
    "Word",
    "incident",
    "judge",
    "judge_bake",
    "odds_text",
]

LN_ADVANCE = log(20.0)
"""Log of the odds at which a step need not wait for `hold_max`."""


class Word(StrEnum):
    """The verdict."""

    WORSE = "Worse"
    """Roll back now."""
    SUSPECT = "Suspect"
    """Odds of 2:1 or more that it is worse: no more traffic for now. Over the bar, a failure at a later scrape than this began takes it back."""
    GATHERING = "Gathering"
    """Nothing speaks against the canary, but a condition is missing."""
    NOT_WORSE = "NotWorse"
    """The evidence is in: the next step may begin."""
    UNOPPOSED = "Unopposed"
    """`hold_max` (or the bake) has passed and nothing speaks against it: the next step may begin."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The word, and everything it rests on."""

    word: Word
    testimony: Testimony
    """What the witnesses say."""
    ln_not_worse: float
    """Log of the odds that the canary is not worse by `rules.rule_out`, in this step since it settled; of slow answers, if these are smaller."""
    missing: str | None
    """The one condition still missing for the next step; None when it may begin, or when the canary must go back."""
    blame: Blame | None
    """Why it must go back, exactly when the word is Worse."""
    rules: Rules
    """What it was judged by."""
    stable: Counts
    """What the canary was compared with: stable's requests and failures of the release, or those given for a bake."""
    evidence: Evidence
    """What was judged."""

    @property
    def least(self) -> float:
        """Share (0 to 1) by which it fails at least more often than stable; 0.0: no evidence."""
        if self.evidence.weight == FULL:
            return 0.0
        confidence = 1 - (1 - self.rules.confidence / 100) / self.rules.witnesses
        return excess_at_least(self.evidence.segments, confidence, self.rules.noise)

    @property
    def most(self) -> float:
        """Share (0 to 1) by which it fails at most more often than stable, this step; 1.0: no evidence."""
        return 1.0 if self.evidence.weight == FULL else excess_at_most(self.evidence.step, noise=self.rules.noise)

    @property
    def ln_worse(self) -> float:
        """Log of the odds that the canary is worse than stable by more than `rules.tolerance`."""
        return self.testimony.ln_worse

    @property
    def ln_limit(self) -> float | None:
        """Log of the odds that the canary fails more than `rules.limit`; None: no limit."""
        return self.testimony.ln_limit

    @property
    def advances(self) -> bool:
        """The next step may begin."""
        return self.word in (Word.NOT_WORSE, Word.UNOPPOSED)


def judge(evidence: Evidence, rules: Rules, *, incident_for: float = 0.0) -> Verdict:
    """Judges a step below 100 percent.

    Args:
        evidence: `Folded.now`.
        rules: The same that `fold` had.
        incident_for: Seconds since stable itself fails more than before the release; 0.0: it does not.
    """
    return _verdict(evidence, rules, stable_of(evidence.segments), incident_for)


def judge_bake(evidence: Evidence, stable: Counts | None, rules: Rules) -> Verdict:
    """Judges the bake at 100 percent, where no stable arm serves.

    Args:
        evidence: `Folded.now`.
        stable: Whose share the canary is judged by, the same that `fold` had. None: stable's in this release.
        rules: The same that `fold` had; `hold_min` is the bake.
    """
    bake = replace(rules, hold_max=rules.hold_min, min_requests=0, insufficient_data_advances=True)
    return _verdict(evidence, bake, stable_of(evidence.segments) if stable is None else stable, 0.0)


def _verdict(evidence: Evidence, rules: Rules, stable: Counts, incident_for: float) -> Verdict:
    testimony = hear(evidence.segments, rules, weight=evidence.weight, stable=stable)
    ln_not_worse = 0.0 if evidence.weight == FULL else _not_worse(evidence, rules)
    missing = _missing(evidence, rules, incident_for, testimony, ln_not_worse)
    word = Word.NOT_WORSE if ln_not_worse >= LN_ADVANCE else Word.UNOPPOSED
    if missing is not None:
        word = Word.GATHERING
    if testimony.loudest >= LN_SUSPECT:
        word = Word.SUSPECT
    if evidence.blame is not None:
        word, missing = Word.WORSE, None
    return Verdict(word, testimony, ln_not_worse, missing, evidence.blame, rules, stable, evidence)


def _not_worse(evidence: Evidence, rules: Rules) -> float:
    """What reached no workload counts as the canary's here: in doubt no weight rises."""
    failures = log_odds_not_worse(blamed_on_canary(evidence.step), rules.rule_out, rules.noise)
    if rules.slowness is None:
        return failures
    return min(failures, log_odds_not_worse(evidence.step.timed, rules.slowness.rule_out, rules.slowness.noise))


def _missing(evidence: Evidence, rules: Rules, incident_for: float, testimony: Testimony, ln_not_worse: float) -> str | None:
    """The first condition that is not met, read from top to bottom; None: the step may end."""
    clock = rules.insufficient_data_advances and evidence.covered >= rules.hold_max
    requests, loudest = evidence.settled_canary.requests, testimony.loudest
    # The words are made for the one that is told: most looks find one of the last three.
    conditions: tuple[tuple[bool, Callable[[], str]], ...] = (
        (bool(testimony.accusing(rules)), lambda: "odds are over the bar: another failure at the next scrape rolls it back"),
        (loudest >= LN_SUSPECT, lambda: f"odds against the canary are {odds_text(loudest)} and must fall below 2:1"),
        (
            testimony.ln_lost >= LN_SUSPECT,
            lambda: (
                f"{sum(part.lost for part in evidence.segments)} requests found no healthy endpoint, and nobody can tell whose they were"
            ),
        ),
        (incident_for > 0.0, lambda: f"stable itself fails more than before the release, for {seconds_text(incident_for)}"),
        (evidence.covered < rules.hold_min, lambda: _observed(evidence, rules.hold_min)),
        (requests < rules.min_requests, lambda: f"the canary had {requests} of {rules.min_requests} requests"),
        # Counts of one arm alone are no comparison, however long they are: never a pass.
        (
            evidence.weight != FULL and not evidence.settled_stable.requests,
            lambda: "stable had no requests to compare the canary with",
        ),
        (
            rules.slowness is not None and evidence.weight != FULL and not _both_timed(evidence),
            lambda: "no answer of this step is timed for both versions yet",
        ),
        (
            ln_not_worse < LN_ADVANCE and not clock,
            lambda: (
                f"odds that it is not worse are {odds_text(ln_not_worse)} of 20:1"
                + (f", or {_observed(evidence, rules.hold_max)}" if rules.insufficient_data_advances else "")
            ),
        ),
    )
    return next((words() for unmet, words in conditions if unmet), None)


def _observed(evidence: Evidence, span: float) -> str:
    # A weight is written a moment after a scrape: 59.7 s are not yet the minute that is missing.
    return f"{seconds_text(max(0.0, min(evidence.covered, span - 1.0)))} of the {seconds_text(span)} are observed"


def _both_timed(evidence: Evidence) -> bool:
    return bool(evidence.settled_canary_timed.requests and evidence.settled_stable_timed.requests)
