"""A CanaryRelease from a file, judged before anything is done with it: by the same types, forms and bounds as the CRD.

The rules over several fields are the API server's; those that a simulation would stumble over are told here in the same words.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from canary_operator.api.names import GROUP, KIND
from canary_operator.api.quantities import parse_duration
from canary_operator.api.spec import CanaryReleaseSpec

_SPEC: TypeAdapter[CanaryReleaseSpec] = TypeAdapter(CanaryReleaseSpec)
_FORM = re.compile(r"self\.matches\(r'(.*)'\)$")
_BOUNDS = re.compile(r"duration\(self\) >= duration\('([^']+)'\) && duration\(self\) <= duration\('([^']+)'\)")
Place = tuple[str | int, ...]
Schema = Mapping[str, Any]


class WrongFile(Exception):
    """The file holds no CanaryRelease that could be applied; the message names the field and says what to write instead."""


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """What a file says."""

    name: str
    namespace: str | None
    """None: it names none."""
    spec: CanaryReleaseSpec


def release_of(text: str, source: str) -> ReleaseFile:
    """The only CanaryRelease among the documents of a file.

    Args:
        text: YAML, of one or several documents.
        source: What the file is called in messages.

    Raises:
        WrongFile: There is none, there are several, or it is not valid.
    """
    try:
        documents = [each for each in yaml.safe_load_all(text) if each is not None]
    except yaml.YAMLError as error:
        raise WrongFile(f"{source}: not YAML: {' '.join(str(error).split())}") from error
    found = [each for each in documents if isinstance(each, dict) and each.get("kind") == KIND]
    if len(found) != 1:
        kinds = ", ".join(sorted({str(each.get("kind")) if isinstance(each, dict) else "no object" for each in documents})) or "nothing"
        raise WrongFile(
            f"{source}: holds {len(found) or 'no'} CanaryRelease{'s' if len(found) > 1 else ''} ({kinds}); exactly one is wanted"
        )
    document = found[0]
    group = str(document.get("apiVersion", "")).partition("/")[0]
    if group != GROUP:
        raise WrongFile(f"{source}: apiVersion: {document.get('apiVersion')!r} is not of the group {GROUP}; write {GROUP}/v1beta1")
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    namespace = metadata.get("namespace")
    return ReleaseFile(str(metadata.get("name") or "NAME"), str(namespace) if namespace else None, _spec(document.get("spec"), source))


def _spec(document: object, source: str) -> CanaryReleaseSpec:
    if not isinstance(document, dict):
        raise WrongFile(f"{source}: spec: missing; write service and version at least")
    schema = _SPEC.json_schema(by_alias=True)
    definitions: Schema = schema.get("$defs", {})
    for place, words in _wrong(document, schema, definitions, ("spec",)):
        raise WrongFile(f"{source}: {_path(place)}: {words}")
    try:
        spec = _SPEC.validate_python(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        words = "missing" if first["type"] == "missing" else first["msg"].removeprefix("Value error, ")
        raise WrongFile(f"{source}: {_path(('spec', *first['loc']))}: {words}") from error
    for words in _over_fields(spec):
        raise WrongFile(f"{source}: {words}")
    return spec


def _path(place: Place) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    """The schema without references; of a value that may be null, the schema of the value."""
    reference = schema.get("$ref")
    if reference is not None:
        return {**_resolved(definitions[reference.rpartition("/")[2]], definitions), **{k: v for k, v in schema.items() if k != "$ref"}}
    choices = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return {**_resolved(choices[0], definitions), **{k: v for k, v in schema.items() if k != "anyOf"}} if len(choices) == 1 else schema


def _wrong(value: object, schema: Schema, definitions: Schema, place: Place) -> Iterator[tuple[Place, str]]:
    """What the schema says against a value: unknown fields, forms of texts, bounds of durations."""
    schema = _resolved(schema, definitions)
    properties = schema.get("properties")
    if isinstance(value, dict) and properties is not None:
        for name, each in value.items():
            if name not in properties:
                yield (*place, str(name)), f"unknown field; known are {', '.join(properties)}"
            else:
                yield from _wrong(each, properties[name], definitions, (*place, name))
    elif isinstance(value, list) and "items" in schema:
        for number, each in enumerate(value):
            yield from _wrong(each, schema["items"], definitions, (*place, number))
    elif isinstance(value, str):
        yield from ((place, f"{value!r}: {words}") for words in _against(value, schema.get("x-kubernetes-validations", ())))


def _against(text: str, rules: Sequence[Mapping[str, str]]) -> Iterator[str]:
    for each in rules:
        form, bounds = _FORM.search(each["rule"]), _BOUNDS.search(each["rule"])
        malformed = form is not None and not re.search(form[1], text)
        if malformed or (bounds is not None and not parse_duration(bounds[1]) <= parse_duration(text) <= parse_duration(bounds[2])):
            yield each["message"]


def _over_fields(spec: CanaryReleaseSpec) -> Iterator[str]:
    """The rules over several fields that decide how a release is played."""
    if spec.steps and spec.pace:
        yield "spec: steps and pace exclude each other: write steps to name the weights yourself, or pace to name the price"
    weights = [step.weight for step in spec.steps or ()]
    if weights != sorted(set(weights)):
        yield "spec.steps: steps must rise: write the weights in ascending order, each once"
    for number, step in enumerate(spec.steps or ()):
        if step.hold.min > step.hold.max:
            yield f"spec.steps[{number}].hold: min must not be longer than max (5m when left out): lower min or raise max"
        if step.weight < 100 and step.hold.min >= spec.analysis.deadline:
            yield f"spec.steps[{number}].hold.min must be shorter than analysis.deadline (1h when left out): lower min or raise deadline"
    errors, latency = spec.analysis.errors, spec.analysis.latency
    if errors.tolerance >= errors.rule_out:
        yield "spec.analysis.errors.tolerance (0.1% when left out) must be smaller than ruleOut (1% when left out): lower tolerance or raise ruleOut"
    if latency is not None and latency.tolerance >= latency.rule_out:
        yield "spec.analysis.latency.tolerance (1% when left out) must be smaller than ruleOut (5% when left out): lower tolerance or raise ruleOut"
    if spec.suspend:
        yield "spec.suspend: true, so nothing would happen; set it to false for a simulation"


def seconds_of(text: str) -> float:
    """A duration of the command line in seconds.

    Raises:
        ValueError: it is none.
    """
    span: timedelta = parse_duration(text)
    return span.total_seconds()
