"""Whether the histogram in the proxies can answer "slower than the threshold", and what to write when it cannot."""

from bisect import bisect_left
from dataclasses import replace
from datetime import timedelta
from math import isinf, isnan

from canary_operator.analysis.counters import bound
from canary_operator.analysis.promql import BUCKETS, milliseconds
from canary_operator.analysis.samples import Answer, Samples
from canary_operator.api.quantities import format_duration


def lacks_bound(answer: Answer, threshold: timedelta) -> bool:
    """There is a histogram, but the threshold is none of its bounds."""
    found = _bounds(answer)
    return bool(found) and threshold / timedelta(milliseconds=1) not in found


def with_bounds(answer: Answer, bounds: Answer) -> Answer:
    """The answer, with the series that tell which bounds the histogram has: they carry `le` alone."""
    if not isinstance(answer, Samples) or not isinstance(bounds, Samples):
        return answer
    return replace(answer, series=answer.series + tuple(series for series in bounds.series if set(series.labels) == {"le"}))


def with_lasting(answer: Answer, lasting: Answer) -> Answer:
    """The answer, with the time that stable's requests lasted on average: one series of milliseconds. Anything else is no answer to that."""
    if not isinstance(answer, Samples) or not isinstance(lasting, Samples) or len(lasting.series) != 1:
        return answer
    return replace(answer, lasting=round(lasting.series[0].points[-1].value / 1000.0, 3))


def cannot_tell(answer: Samples, threshold: timedelta) -> str | None:
    """Why slow answers cannot be told from others, and what to write instead; None: they can."""
    found, wanted = _bounds(answer), threshold / timedelta(milliseconds=1)
    if wanted in found:
        return None
    if not found:
        return (
            f"no series of {BUCKETS} match, so nobody knows how long answers take; have the proxies report REQUEST_DURATION "
            "(Telemetry), or leave analysis.latency out"
        )
    finite = sorted(each for each in found if not isinf(each))
    place = bisect_left(finite, wanted)
    near = [format_duration(timedelta(milliseconds=each)) for each in finite[max(0, place - 1) : place + 1] if each >= 1]
    instead = " or ".join(near) or "one of the bounds of the histogram in the proxies"
    return f"analysis.latency.threshold {milliseconds(threshold)} ms is no bound of the histogram in the proxies; write {instead}"


def _bounds(answer: Answer) -> set[float]:
    """The bounds of all histograms in an answer, in milliseconds."""
    if not isinstance(answer, Samples):
        return set()
    found = {bound(series.labels["le"]) for series in answer.series if "le" in series.labels}
    return {each for each in found if not isnan(each)}
