"""`spec.analysis.queries` in a release: what is asked, what the answers mean, and what is wrong with a query whatever it answers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

from canary_operator.analysis.queries import Query, Row, counted, row_of
from canary_operator.analysis.samples import NoData, QueryFailed
from canary_operator.analysis.template import TemplateError, Values, render
from canary_operator.analysis.value import QueryAsk, Refused, Value
from canary_operator.analysis.wording import seconds_text
from canary_operator.api.analysis import Query as Wish
from canary_operator.api.record import ReleaseRecord, State
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.release import reasons
from canary_operator.release.model import Because, Observation

NOBODY = "unknown"
"""Stands in a query for a version or workload that is not known yet: such a query is only checked, never judged."""
_RUNNING = (State.PROGRESSING, State.PROMOTING)


@dataclass(frozen=True, slots=True)
class Hearing:
    """What the user's own queries say at one look."""

    rows: tuple[Row, ...] = ()
    """To be stored."""
    blamed: str | None = None
    """Why the canary is to be blamed, with the numbers; None: it is not."""
    unknown: Because | None = None
    """Why nothing can be said; None: every query has answered."""
    unvalued: bool = False
    """What cannot be said now could not be said in all of the present step."""
    doubt: Because | None = None
    """The one condition that is missing for the next step; None: none is, or nothing can be said."""
    told: str = ""
    """The last values with their bounds, in words."""

    @property
    def outside(self) -> bool:
        """A query stands outside its bounds, or did when it had its last value."""
        return any(row.outside for row in self.rows) or (self.doubt is not None and self.doubt.reason == reasons.SUSPECT)


def asks(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> tuple[QueryAsk, ...]:
    """What is asked from now on: while a release runs again and again, else once, to see whether it is a query at all."""
    if seen.deleting or state.state in (State.ROLLING_BACK, State.WITHDRAWING) or _nobody_serves(state, seen):
        return ()
    return tuple(_ask(wish, query, state) for wish, query in _queries(spec, state, seen) if isinstance(query, Query))


def wrong(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> tuple[Because, ...]:
    """Queries that must be written otherwise: they cannot be filled in, or Prometheus does not take them."""
    return tuple(found for _, found in _checked(spec, state, seen) if isinstance(found, Because))


def with_findings(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Observation:
    """What is seen, with what is wrong with the queries: it blocks a release, and at rest it is a warning."""
    found = wrong(spec, state, seen)
    if not found:
        return seen
    if state.state is State.STABLE and seen.stable and seen.stable.rpartition("@")[0] == spec.version:
        return replace(seen, warnings=(*seen.warnings, *found))
    return replace(seen, findings=(*seen.findings, *found))


def hear(  # noqa: PLR0913 - the facts of one look, each by its name
    spec: CanaryReleaseSpec,
    state: ReleaseRecord,
    seen: Observation,
    rows: tuple[Row, ...],
    *,
    settled_at: float | None,
    scraped: float | None,
) -> Hearing:
    """Counts the newest answers and says what they mean.

    Args:
        spec: The wish.
        state: The record.
        seen: With the answers.
        rows: As they were stored.
        settled_at: When the present weight was served everywhere, Unix seconds. None: not yet.
        scraped: Time of the newest sample of the proxies, Unix seconds: so far Prometheus is known to scrape. None: unknown.
    """
    if not spec.analysis.queries:
        return Hearing()
    since = state.weight_since.timestamp() if state.weight and state.weight_since else None
    if _nobody_serves(state, seen):
        words = f"no workload of {state.to} is known, so its queries cannot be asked"
        return Hearing(rows, unknown=Because(reasons.METRICS_UNAVAILABLE, words))
    kept: list[Row] = []
    hearing = Hearing()
    for query, found in _checked(spec, state, seen):
        if query is None:
            hearing = replace(hearing, unknown=hearing.unknown or found if isinstance(found, Because) else None, unvalued=True)
            continue
        row = counted(row_of(rows, query), query, found, since=since, settled_at=settled_at, scraped=scraped)
        kept.append(row)
        hearing = _with(hearing, query, row, found, weighted=since is not None)
    return replace(hearing, rows=tuple(kept))


def _nobody_serves(state: ReleaseRecord, seen: Observation) -> bool:
    """The canary of a running release has no workload: what is known of its queries is kept for when it has one again."""
    serving = (seen.versions or {}).get((state.to or "").rpartition("@")[0])
    return state.state in _RUNNING and not (serving and serving.workloads)


def _with(hearing: Hearing, query: Query, row: Row, found: object, *, weighted: bool) -> Hearing:
    """What was heard, and one query more; of what is missing the first is told."""
    if row.outside >= query.failures:
        hearing = replace(hearing, blamed=hearing.blamed or _blame(query, row))
    if (unknown := _unknown(query, found, weighted=weighted)) is not None:
        hearing = replace(hearing, unknown=hearing.unknown or unknown, unvalued=hearing.unvalued or not (row.inside or row.outside))
    elif weighted and (doubt := _doubt(query, row, found)) is not None:
        worse = hearing.doubt is None or (doubt.reason == reasons.SUSPECT and not hearing.outside)
        hearing = replace(hearing, doubt=doubt if worse else hearing.doubt)
    if row.value is not None and row.at is not None:
        hearing = replace(hearing, told="; ".join(filter(None, (hearing.told, f"{query.name} {row.value:g} ({query.bounds})"))))
    return hearing


def _unknown(query: Query, found: object, *, weighted: bool) -> Because | None:
    """Why nothing can be said of a query now. Before the canary's first weight it need not have a value yet."""
    match found:
        case Because():
            return found
        case None:
            return Because(reasons.GATHERING, f"query {query.name} is being asked for the first time")
        case QueryFailed(why):
            return Because(reasons.METRICS_UNAVAILABLE, f"query {query.name} cannot be asked: {why}")
        case NoData(why) if weighted:
            words = f"query {query.name} has no value, for the last {seconds_text(query.interval)} (its interval): {why}: {query.text}"
            return Because(reasons.METRICS_UNAVAILABLE, words)
        case _:
            return None


def _doubt(query: Query, row: Row, found: object) -> Because | None:
    """The condition that a query lacks for the next step."""
    breach = query.breach(found.value) if isinstance(found, Value) else None
    if breach and isinstance(found, Value):
        count = f", for {row.outside} of {query.failures} looks in a row" if row.outside else ""
        return Because(reasons.SUSPECT, f"query {query.name} is {found.value:g}, {breach}{count}")
    if row.outside:
        return Because(reasons.SUSPECT, f"query {query.name} is within its bounds again, which the next look has to confirm")
    if not row.inside:
        words = f"query {query.name} has no value yet that rests on this weight alone; it is asked every {seconds_text(query.interval)}"
        return Because(reasons.GATHERING, words)
    return None


def _blame(query: Query, row: Row) -> str:
    breach = query.breach(row.value if row.value is not None else 0.0)
    looks = f"{row.outside} looks in a row, {seconds_text(query.interval)} apart" if row.outside > 1 else "one look"
    return f"query {query.name} was {row.value:g}, {breach}, for {looks} ({query.failures} are too many): {query.text}"


def _checked(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Iterator[tuple[Query | None, object]]:
    """Each query with its answer, or with what is wrong with it. None: it cannot even be filled in."""
    for number, (wish, query) in enumerate(_queries(spec, state, seen)):
        if isinstance(query, Because):
            yield None, query
            continue
        answer = seen.queries.get(_ask(wish, query, state))
        if isinstance(answer, Refused):
            words = f"spec.analysis.queries[{number}].query ({query.name}): {answer.why}; asked was: {query.text}"
            yield query, Because(reasons.QUERY_INVALID, words)
        else:
            yield query, answer


def _queries(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Iterator[tuple[Wish, Query | Because]]:
    for number, wish in enumerate(spec.analysis.queries or ()):
        try:
            text = render(wish.query, _values(spec, state, seen), wish.interval)
        except TemplateError as error:
            yield wish, Because(reasons.QUERY_INVALID, f"spec.analysis.queries[{number}].query ({wish.name}) {error}")
        else:
            yield wish, _query(wish, text)


def _ask(wish: Wish, query: Query, state: ReleaseRecord) -> QueryAsk:
    return QueryAsk(wish.name, query.text, wish.interval if state.state in _RUNNING else None)


def _query(wish: Wish, text: str) -> Query:
    least, most = (None if bound is None else float(bound) for bound in (wish.min, wish.max))
    identity = sha256("\0".join((text, wish.min or "", wish.max or "")).encode("utf-8", "replace")).hexdigest()[:12]
    return Query(wish.name, text, least, most, wish.interval.total_seconds(), wish.consecutive_failures, identity)


def _values(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Values:
    versions = seen.versions or {}
    canary = (state.to or "").rpartition("@")[0] or spec.version
    stable = (state.from_ or seen.stable or "").rpartition("@")[0] or spec.stable_version or NOBODY
    serving = versions.get(canary)
    return {
        "canary.version": (canary,),
        "stable.version": (stable,),
        "canary.workload": serving.workloads if serving and serving.workloads else (NOBODY,),
        "service": (spec.service.name,),
        "namespace": (seen.namespace,),
    }
