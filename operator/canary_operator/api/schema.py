"""How a type of this package says what Kubernetes should know of it: configuration, bounds, CEL rules.

A text field states its form once: the pattern that pydantic checks is also the CEL rule of the CRD, since the API server's own message for
a pattern shows only the pattern. A rule that reads a text as a number holds for a malformed one: the rule on the form says what to mend.
"""

from typing import Any

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

CONFIG = ConfigDict(
    alias_generator=to_camel,
    populate_by_name=True,
    serialize_by_alias=True,
    use_attribute_docstrings=True,  # the docstring under a field becomes its description in the CRD
    extra="ignore",  # CRD and operator are upgraded apart: a field of tomorrow is no error today
)


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """CEL rules as a JSON schema extension: (rule, what to write instead)."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


def with_rules(*pairs: tuple[str, str]) -> ConfigDict:
    """The configuration of a type that carries CEL rules over several of its fields."""
    return ConfigDict(**CONFIG, json_schema_extra=rules(*pairs))


def matches(pattern: str, advice: str) -> tuple[str, str]:
    """The CEL rule of a text of a given form. The pattern is RE2 and anchored; it may contain no single quote."""
    return f"self.matches(r'{pattern}')", advice


def text(pattern: str, most: int, advice: str, *more: tuple[str, str]) -> Any:
    """A text of a given form and at most so many characters; `advice` says what to write, `more` are further CEL rules."""
    return Field(pattern=pattern, max_length=most, json_schema_extra=rules(matches(pattern, advice), *more))


def unique(least: int, most: int) -> Any:
    """A list that is a set of `least` to `most` texts."""
    return Field(min_length=least, max_length=most, json_schema_extra={"x-kubernetes-list-type": "set"})
