"""`spec.pace`: the price of a release, in the place of its steps."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from canary_operator.api.quantities import Duration, compare_durations, span
from canary_operator.api.schema import with_rules

_PACE = with_rules(
    (
        compare_durations("self.minDuration", "<=", "self.maxDuration"),
        "pace.minDuration (5m when left out) must not be longer than pace.maxDuration (2h when left out): lower minDuration or raise maxDuration",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True, config=_PACE)
class Pace:
    """What a bad version may cost. The operator picks the weights: the faster, the less the canary can still cost by all that is known of it."""

    failure_budget: Annotated[int, Field(ge=1, le=1_000_000)]
    """Failed requests that a bad version may cost, beyond those that stable would have failed."""
    min_duration: Annotated[Duration, span("0s", "24h", "pace.minDuration")] = timedelta(minutes=5)
    """No promotion before samples of both versions have covered so much of the release, however good the evidence."""
    max_duration: Annotated[Duration, span("1m", "720h", "pace.maxDuration")] = timedelta(hours=2)
    """The longest way to 100 percent before the traffic goes back without blame. It stands in the place of `analysis.deadline`."""
    max_weight: Annotated[int, Field(ge=1, le=99)] = 50
    """The highest weight before 100, in percent."""
    approval: Literal["BeforePromotion"] | None = None
    """BeforePromotion: a person is asked before the weight rises to 100. `maxDuration` does not count the time that takes."""
