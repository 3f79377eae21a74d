"""What the samples of one look say of the running release: folded into the stored evidence, judged, and worded."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from canary_operator.analysis.baseline import as_counted, baseline
from canary_operator.analysis.beat import Beat, beat
from canary_operator.analysis.counters import Interval
from canary_operator.analysis.evidence import fold
from canary_operator.analysis.odds import NOTHING, Counts
from canary_operator.analysis.record import Evidence
from canary_operator.analysis.remembering import remembered
from canary_operator.analysis.samples import Answer, Samples
from canary_operator.analysis.sentence import sentence
from canary_operator.analysis.served import NotServed
from canary_operator.analysis.silence import Silent
from canary_operator.analysis.verdict import Verdict, Word, incident, judge, judge_bake, odds_text
from canary_operator.analysis.witnesses import FULL, Rules, Slowness, Testimony, Why, stable_of
from canary_operator.api.record import BaselineRecord
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.api.status import ReleaseRecord, State
from canary_operator.release import reasons
from canary_operator.release.absence import pods
from canary_operator.release.model import Because, Observation
from canary_operator.release.pace import Tempo, measured
from canary_operator.release.plan import at_ceiling, hold_of
from canary_operator.release.queries import Hearing, hear
from canary_operator.release.reading import RECENT, read, unmeasured
from canary_operator.release.record import baseline_of, baseline_record, evidence_of
from canary_operator.release.share import share, silence

LONGEST_FAULT = 300
"""Characters of an exception that status repeats."""
INCIDENT_PATIENCE = timedelta(minutes=3)
"""For so long stable may fail far more than before the release until the release is withdrawn (analysis.md 4.5)."""


_BLAMED_FOR = {Why.SLOW: reasons.SLOWER, Why.GIVEN_UP: reasons.GIVEN_UP}


@dataclass(frozen=True, slots=True)
class Look:
    """The evidence after this look, and what it means."""

    committed: Evidence
    """To be stored."""
    now: Evidence
    """To be judged: with the samples of proxies whose scrape is ahead."""
    verdict: Verdict
    missing: Because | None
    """Why no samples are accepted; None: they are."""
    baseline: BaselineRecord | None
    """Stable before the release; None: unknown."""
    incident_since: datetime | None
    """Since when stable itself fails far more often; None: it does not."""
    patience_is_over: bool = False
    """The incident has lasted too long."""
    valid_for: timedelta | None = None
    """After this time it means something else even without news: the samples are too old, or patience is over. None: it does not."""

    tempo: Tempo | None = None
    """How much comes in, and how often that is seen; None: nobody knows, or nothing is paced."""
    hearing: Hearing = Hearing()
    """What the user's own queries say."""
    unseen: str | None = None
    """What to ask Prometheus to see that it knows nothing of a canary that has weight; None: it does, or need not."""
    beat: Beat | None = None
    """When the scrapes come; None: unknown, or the canary has its first weight already."""
    found: tuple[Interval, ...] = ()
    """What callers counted between the scrapes of the last answer."""
    share: NotServed | None = None
    """What speaks against the weight being served as it was written; None: nothing does, or nobody knows."""
    silent: Silent | None = None
    """The canary ends none of its requests; None: it does, or nobody knows."""

    @property
    def worse(self) -> str | None:
        """Why the canary is to be blamed, with the numbers; None: it is not."""
        told = sentence(self.verdict, self.now) if self.verdict.word is Word.WORSE else None
        # While stable itself fails nobody is blamed: what a query sees may be the incident.
        return told or (None if self.incident_since else self.hearing.blamed)

    @property
    def blamed_for(self) -> str:
        """The reason to roll back with, when there is one."""
        blame = self.verdict.blame
        if blame is None and self.hearing.blamed:
            return reasons.QUERY_OUT_OF_BOUNDS
        return _BLAMED_FOR.get(blame.why, reasons.MORE_FAILURES) if blame else reasons.MORE_FAILURES

    @property
    def passed(self) -> bool:
        """The evidence lets the next step begin."""
        return self.missing is None and self.verdict.advances and self.hearing.doubt is None

    @property
    def reason(self) -> str:
        """The printed word for where the evidence stands."""
        if self.missing:
            return self.missing.reason
        return reasons.SUSPECT if self.verdict.word is Word.SUSPECT or self.hearing.outside else reasons.GATHERING

    @property
    def told(self) -> str:
        """The evidence in one line, with the one condition that is still missing."""
        if self.missing:
            return self.missing.message
        doubt = self.hearing.doubt.message if self.hearing.doubt else self.hearing.told
        return "; ".join(filter(None, (sentence(self.verdict, self.now), doubt, self.unseen)))

    @property
    def odds(self) -> str:
        """The odds in words."""
        slow = self.verdict.testimony.ln_slow
        slower = "" if slow is None else f", {odds_text(slow)} slower"
        odds = f"{odds_text(self.verdict.ln_worse)} worse{slower}, {odds_text(self.verdict.ln_not_worse)} not worse"
        return "; ".join(filter(None, (odds, self.hearing.told)))


def rules_of(spec: CanaryReleaseSpec, state: ReleaseRecord) -> Rules:
    """How the canary is judged in the present step."""
    analysis, before = spec.analysis, baseline_of(state.baseline)
    latency = analysis.latency
    hold = hold_of(state)
    # Under a pace the budget decides below the highest weight, so neither odds nor clock are waited for there.
    passing = state.pace is not None and not at_ceiling(state)
    return Rules(
        tolerance=analysis.errors.tolerance,
        rule_out=analysis.errors.rule_out,
        confidence=float(analysis.confidence),
        min_requests=analysis.min_requests,
        limit=analysis.errors.limit,
        hold_min=spec.bake.total_seconds() if state.weight == FULL else hold.min.total_seconds(),
        hold_max=0.0 if passing else hold.max.total_seconds(),
        insufficient_data_advances=passing or analysis.insufficient_data == "Advance",
        noise=before.noise if before else 1.0,
        slowness=Slowness(latency.tolerance, latency.rule_out, latency.warmup.total_seconds(), before.slow_noise if before else 1.0)
        if latency
        else None,
        lost_before=before.lost_share if before else 0.0,
        given_up_noise=before.given_up_noise if before else 1.0,
        budget=float(state.pace.failure_budget) if state.pace and state.weight != FULL else None,
    )


def look(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Look:
    """Folds the newest samples into the stored evidence and judges. Nothing running: nothing is folded.

    Never raises: what takes traffic back must not depend on the evidence. A fault of this program leaves the evidence as it is stored, no
    weight rises on it, and `missing` tells of it.
    """
    try:
        return _judged(spec, state, seen)
    except Exception as error:  # noqa: BLE001  (whatever it is, an abort, a rollback and a deletion go on)
        return _unjudged(state, error)


def _unjudged(state: ReleaseRecord, error: Exception) -> Look:
    stored, words = evidence_of(state), " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_FAULT]
    missing = Because(
        reasons.ANALYSIS_FAILED, f"the samples cannot be judged, by a fault in the operator, so no weight rises; please report it: {words}"
    )
    verdict = Verdict(Word.GATHERING, Testimony(), 0.0, missing.message, None, Rules(), NOTHING, stored)
    return Look(stored, stored, verdict, missing, state.baseline, state.incident_since)


def _judged(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Look:
    rules, stored = rules_of(spec, state), evidence_of(state)
    if state.state not in (State.PROGRESSING, State.PROMOTING):
        return Look(stored, stored, judge(stored, rules), None, state.baseline, None)
    reading = read(spec, state, seen)
    found = _without_those_of_stable(state, seen, reading.found)
    rules = replace(as_counted(rules, found), before=_before(state) if reading.alone else None)
    yardstick, settled_at = yardstick_of(state, stored), _settled_at(spec, state, seen)
    folded = fold(
        stored,
        found,
        weight=state.weight,
        since=state.weight_since.timestamp() if state.weight and state.weight_since else None,
        settled_at=settled_at,
        rules=rules,
        stable=yardstick,
    )
    base = _baseline(state, found, seen.samples)
    since = _incident_since(state, seen, found, base)
    lasted = seen.now - since if since else timedelta(0)
    verdict = (
        judge_bake(folded.now, yardstick, rules)
        if state.weight == FULL
        else judge(folded.now, rules, incident_for=lasted.total_seconds() + (1e-3 if since else 0))
    )
    patience = INCIDENT_PATIENCE - lasted if since and lasted < INCIDENT_PATIENCE else None
    valid_for = min((span for span in (reading.stale_in, patience) if span is not None), default=None)
    over, tempo = lasted >= INCIDENT_PATIENCE, measured(found, spec.settle.total_seconds()) if spec.pace else None
    hearing = hear(spec, state, seen, stored.rows, settled_at=settled_at, scraped=reading.newest)
    same = folded.committed.rows == hearing.rows
    return Look(
        folded.committed if same else replace(folded.committed, rows=hearing.rows),
        folded.now,
        verdict,
        reading.missing or hearing.unknown,
        base,
        since,
        over,
        valid_for,
        tempo,
        hearing,
        reading.unseen,
        None if state.step else beat(found),
        reading.found,
        share(spec, state, seen, reading.routed, settled_at, folded.now.step),
        None if reading.apart else silence(spec, state, seen, reading.routed, settled_at, folded.now),
    )


def _before(state: ReleaseRecord) -> Counts:
    """Stable before the release; nothing: nobody counted it then either."""
    before = baseline_of(state.baseline)
    return before.stable if before else NOTHING


def _without_those_of_stable(state: ReleaseRecord, seen: Observation, found: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """The intervals, without the requests that reached no pod while stable has none: those are its own, whatever weight the record names.

    The record names the weight that the canary is to get then, before all proxies, or any, send it so much.
    """
    stable = (state.from_ or "").rpartition("@")[0]
    gone = state.stable_gone is not None or (seen.versions is not None and not pods(seen.versions.get(stable)))
    return tuple(each._replace(lost=0) if each.lost else each for each in found) if gone and stable else found


def _settled_at(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> float | None:
    if seen.route is None or seen.route.weight != state.weight:
        return None
    return (seen.route.since + spec.settle).timestamp()


def _baseline(state: ReleaseRecord, found: tuple[Interval, ...], answer: Answer | None) -> BaselineRecord | None:
    """Stable in the minutes before the first weight; kept for the release."""
    known = state.baseline if state.step or state.baseline is not None else _baseline_record(found, None)
    lasting = answer.lasting if isinstance(answer, Samples) else None
    return replace(known, lasting=lasting) if known and lasting is not None and unmeasured(state) else known


@remembered(RECENT)  # while the first weight is awaited, each answer is looked at several times
def _baseline_record(found: tuple[Interval, ...], _: None) -> BaselineRecord | None:
    return baseline_record(baseline(found))


def yardstick_of(state: ReleaseRecord, stored: Evidence) -> Counts | None:
    """What a bake is judged by where stable had no request beside the canary: what it did before. None: what it did beside the canary."""
    before = baseline_of(state.baseline)
    return before.stable if before and not stable_of(stored.segments).requests else None


def _incident_since(state: ReleaseRecord, seen: Observation, found: tuple[Interval, ...], base: BaselineRecord | None) -> datetime | None:
    known = baseline_of(base)
    if known is None or not state.step or not incident(found, known.share):
        # Without news an incident neither begins nor ends.
        return state.incident_since if not found else None
    return state.incident_since or seen.now
