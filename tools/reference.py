"""docs/reference.md from the schema: every field with type, default, bounds and meaning."""

from collections.abc import Iterator

from canary_operator.api import names, quantities, spec
from tools.custom_resource import GENERATED, Schema, nodes, spec_schema, status_schema


def reference_file() -> str:
    """`docs/reference.md`."""
    parts = [
        f"<!-- {GENERATED} -->",
        f"# {names.KIND} ({names.API_VERSION})",
        names.DESCRIPTION,
        "A field without a default may be left out unless it says *required*. `kubectl explain canaryrelease --recursive` prints the same.",
        "\n".join(f"- A *{word}* is {form}." for word, (_, form) in _QUANTITIES.items()),
        "## spec",
        *_tables("spec", spec_schema()),
        *_rules(),
        "## status",
        "Written by the operator only. For people it is read top down; programs wait on `conditions`.",
        *_tables("status", status_schema()),
    ]
    return "\n\n".join(parts) + "\n"


def _tables(path: str, schema: Schema) -> Iterator[str]:
    """One table for the object at `path`, then one for each object below it."""
    lines = ["| field | type | default | bounds | meaning |", "|---|---|---|---|---|"]
    below = []
    for name, field in schema["properties"].items():
        required = name in schema.get("required", ())
        element = field.get("items", field)
        default = "*required*" if required else _default(field)
        cells = (f"`{name}`", _type(field), default, _bounds(field), field.get("description", ""))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        if "properties" in element:
            below.append((f"{path}.{name}" + "[]" * ("items" in field), element))
    yield f"### `{path}`"
    yield "\n".join(lines)
    for inner_path, inner in below:
        yield from _tables(inner_path, inner)


_QUANTITIES = {
    "duration": (quantities.DURATION_ADVICE, "numbers with units h, m, s or ms, such as `90s` or `1h30m` (GEP-2257)"),
    "percentage": (quantities.SHARE_ADVICE, "a text in quotes from `0%` to `100%` with at most four decimals, such as `'0.5%'`"),
}
"""The types of our own: the sentence by which a field is known to be one, and what the reference says of it once."""


def _type(field: Schema) -> str:
    if "items" in field:
        return f"list of {_type(field['items'])}"
    said = {rule["message"] for rule in field.get("x-kubernetes-validations", ())}
    if field.get("format") == "date-time":
        return "time"
    return next((word for word, (advice, _) in _QUANTITIES.items() if advice in said), field["type"])


def _default(field: Schema) -> str:
    if "default" not in field:
        return ""
    if "properties" in field:
        return "see its fields"
    value = field["default"]
    return ", ".join(f"`{item}`" for item in value) if isinstance(value, list) else f"`{value}`"


def _bounds(field: Schema) -> str:
    said = []
    if "enum" in field:
        said.append("one of " + ", ".join(f"`{value}`" for value in field["enum"]))
    for least, most, unit in (("minimum", "maximum", ""), ("minLength", "maxLength", " characters"), ("minItems", "maxItems", " items")):
        low, high = field.get(least), field.get(most)
        if low is not None and high is not None:
            said.append(f"{low} to {high}{unit}")
        elif high is not None:
            said.append(f"at most {high}{unit}")
        elif low is not None:
            said.append(f"at least {low}{unit}")
    if _type(field) in _QUANTITIES:
        said.clear()  # the length follows from the form
    known = {advice for advice, _ in _QUANTITIES.values()}
    messages = [rule["message"] for rule in field.get("x-kubernetes-validations", ()) if "properties" not in field]
    said += [message for message in messages if message not in known]
    if "items" in field and "properties" not in field["items"] and (each := _bounds(field["items"])):
        said.append(f"each {each}")
    return "; ".join(said)


def _rules() -> Iterator[str]:
    """The rules over several fields, each as the sentence that the API server answers with."""
    objects = (spec.RESOURCE, *(node for node in nodes(spec_schema()) if "properties" in node))
    yield "### Rules over several fields"
    yield "\n".join(f"- {rule['message']}" for node in objects for rule in node.get("x-kubernetes-validations", ()))
