"""The two quantities of the resource: durations and shares, as they are written and as they are meant.

Both are strings in YAML because Kubernetes forbids floats in a spec: `1m30s` is a Gateway API duration (GEP-2257), `0.5%` a share.
"""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from canary_operator.api.schema import matches, rules

# GEP-2257 (gateway-api.sigs.k8s.io/geps/gep-2257): up to four numbers of up to five digits, each with a unit.
DURATION_PATTERN = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"
SHARE_PATTERN = r"^(100|[0-9]{1,2}(\.[0-9]{1,4})?)%$"

NUMBER_PATTERN = r"^-?[0-9]{1,15}([.][0-9]{1,9})?$"

DURATION_ADVICE = "write a duration: numbers with units h, m, s or ms, such as 90s or 1h30m"
SHARE_ADVICE = "write a percentage in quotes from 0% to 100% with at most four decimals, such as '0.5%'"
NUMBER_ADVICE = "write a decimal number in quotes, such as '100' or '-0.5'"

_UNITS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_PART = re.compile(r"([0-9]+)(ms|h|m|s)")


def parse_duration(text: str) -> timedelta:
    """`1m30s` as a span of time.

    Raises:
        ValueError: the text is no GEP-2257 duration.
    """
    if not re.fullmatch(DURATION_PATTERN, text):
        raise ValueError(f"{text!r} is no duration; {DURATION_ADVICE}")
    return timedelta(milliseconds=sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text)))


def format_duration(span: timedelta) -> str:
    """The shortest GEP-2257 text for a span; milliseconds are the finest unit, and nothing is `0s`."""
    rest, text = round(span.total_seconds() * 1000), ""
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def parse_share(text: str) -> float:
    """`0.5%` as a fraction of one (0.005).

    Raises:
        ValueError: the text is no share.
    """
    if not re.fullmatch(SHARE_PATTERN, text):
        raise ValueError(f"{text!r} is no share; {SHARE_ADVICE}")
    return float(text[:-1]) / 100


def format_share(share: float) -> str:
    """A fraction of one as a percentage with at most four decimals."""
    return f"{share * 100:.4f}".rstrip("0").rstrip(".") + "%"


def _to_duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _to_share(value: object) -> object:
    return parse_share(value) if isinstance(value, str) else value


Duration = Annotated[
    timedelta,
    BeforeValidator(_to_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "maxLength": 24, **rules(matches(DURATION_PATTERN, DURATION_ADVICE))}),
]
"""A span of time; `timedelta` inside, a GEP-2257 string outside."""

Share = Annotated[
    float,
    BeforeValidator(_to_share),
    PlainSerializer(format_share, return_type=str),
    WithJsonSchema({"type": "string", "maxLength": 8, **rules(matches(SHARE_PATTERN, SHARE_ADVICE))}),
]
"""A share of requests; a fraction of one inside, a percentage string outside."""


Number = Annotated[str, Field(pattern=NUMBER_PATTERN, max_length=26, json_schema_extra=rules(matches(NUMBER_PATTERN, NUMBER_ADVICE)))]
"""A decimal number; a string inside too, so that it stands in words as it was written."""


def span(least: str, most: str, name: str) -> Any:
    """The bounds of a duration field, both inclusive."""
    bounds = f"duration(self) >= duration('{least}') && duration(self) <= duration('{most}')"
    return Field(
        json_schema_extra=rules(
            matches(DURATION_PATTERN, DURATION_ADVICE),
            (
                _unless_malformed(bounds, DURATION_PATTERN, "self"),
                f"{name} must be from {least} to {most}: write a duration within these bounds",
            ),
        )
    )


def compare_durations(left: str, operator: str, right: str) -> str:
    """A CEL rule that compares two duration fields."""
    return _unless_malformed(f"duration({left}) {operator} duration({right})", DURATION_PATTERN, left, right)


def compare_shares(left: str, operator: str, right: str) -> str:
    """A CEL rule that compares two share fields."""
    return _unless_malformed(f"double({left}.replace('%', '')) {operator} double({right}.replace('%', ''))", SHARE_PATTERN, left, right)


def compare_numbers(left: str, operator: str, right: str) -> str:
    """A CEL rule that compares two number fields."""
    return _unless_malformed(f"double({left}) {operator} double({right})", NUMBER_PATTERN, left, right)


def _unless_malformed(rule: str, pattern: str, *texts: str) -> str:
    """CEL's `||` holds when one side holds, even if the other cannot be computed."""
    return " || ".join([rule, *(f"!{text}.matches(r'{pattern}')" for text in texts)])
