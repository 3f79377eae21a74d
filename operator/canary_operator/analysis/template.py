"""A user's PromQL with placeholders, and how values get into it: only inside string literals, escaped in one place, so that none breaks out.

A literal that holds a placeholder is read as Prometheus reads it and written anew by `promql.quote`; everything else stays as the user wrote it.
Source: Prometheus, promql/parser/lex.go and "Querying basics", string literals (escapes as in Go; none in backticks).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from canary_operator.analysis.promql import duration, literally, quote

INTERVAL = "interval"
NAMES = ("canary.version", "stable.version", "canary.workload", "service", "namespace")
"""The placeholders that stand inside quotes."""

_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\\n]|\\[^\n])*" |
    '(?:[^'\\\n]|\\[^\n])*' | `[^`]*`) | (?P<comment>\#[^\n]*) | (?P<placeholder>\{\{.*?\}\}) | (?P<other>[^"'`\#{]+|.)""",
    re.VERBOSE | re.DOTALL,
)
_PLACEHOLDER = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.|\Z)", re.DOTALL)
_PLAIN_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"', "'": "'"}
_SPAN_BEFORE = re.compile(r"(\[([^\]]*:)?|\boffset(\s+-)?)$", re.IGNORECASE)
_LONGEST_BEFORE = 64
"""Characters before a duration that tell whether one may stand there."""

Values = Mapping[str, tuple[str, ...]]
"""What each placeholder of `NAMES` stands for: one value, or several that a regular expression may match; never none."""


class TemplateError(Exception):
    """A query that cannot be filled in; the message says what to write instead, and begins like `query holds ...`."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    before: str
    """Everything before it, without comments."""
    after: str
    """Everything after it."""


def render(query: str, values: Values, interval: timedelta) -> str:
    """The query with its placeholders filled in.

    Args:
        query: As the user wrote it.
        values: What the placeholders stand for.
        interval: Of the query, for `{{interval}}`.

    Raises:
        TemplateError: A placeholder is unknown, or stands where it could break out or mean something else.
    """
    if "{{" not in query:
        return query
    return "".join(_filled(token, values, interval) for token in _tokens(query))


def _tokens(query: str) -> Iterator[_Token]:
    before = ""
    for found in _TOKEN.finditer(query):
        token = _Token(str(found.lastgroup), found.group(), before, query[found.end() :])
        before += "" if token.kind == "comment" else token.text
        yield token


def _filled(token: _Token, values: Values, interval: timedelta) -> str:
    match token.kind:
        case "string" if "{{" in token.text:
            return _literal(token, values)
        case "placeholder":
            return _span(token, interval)
        case "comment" if "{{" in token.text:
            raise TemplateError("holds a placeholder in a comment; leave it out of the comment")
        case "other" if token.text in "\"'`":
            raise TemplateError(f"has a quote {token.text} that is not closed in its line; close it")
        case "other" if token.text == "{" and token.after.startswith("{"):
            raise TemplateError("has {{ without }}; close the placeholder")
        case _:
            return token.text


def _span(token: _Token, interval: timedelta) -> str:
    name = _name(token.text)
    if name != INTERVAL:
        _known(name)
        raise TemplateError(f'holds {{{{{name}}}}} outside of quotes; write it inside a text, such as label="{{{{{name}}}}}"')
    if not _SPAN_BEFORE.search(token.before.rstrip()[-_LONGEST_BEFORE:]) or re.match(r"\w", token.after):
        raise TemplateError("holds {{interval}} where no duration stands; write it as one, such as rate(requests_total[{{interval}}])")
    return duration(interval)


def _literal(token: _Token, values: Values) -> str:
    """The literal written anew, with its placeholders filled in."""
    style, inside, operator = token.text[0], token.text[1:-1], token.before.rstrip()[-2:]
    if not operator.endswith(("=", "=~", "!~")):
        raise TemplateError("holds a placeholder in a text that is no label's value; write it after =, !=, =~ or !~ in a selector")
    written, end = "", 0
    for found in _PLACEHOLDER.finditer(inside):
        written += _meant(inside[end : found.start()], style)
        name, end = found[1], found.end()
        if name == INTERVAL:
            raise TemplateError("holds {{interval}} inside quotes; write it as a duration, such as rate(requests_total[{{interval}}])")
        _known(name)
        if operator in ("=~", "!~"):
            _may_stand(written, name)
            written += f"(?:{'|'.join(literally(value) for value in values[name])})"
        elif len(values[name]) == 1:
            written += values[name][0]
        else:
            several = ", ".join(values[name])
            raise TemplateError(
                f"holds {{{{{name}}}}} where one value is needed, but there are {several}; write =~ (or !~) before the text"
            )
    written += _meant(inside[end:], style)
    return quote(written)


def _name(placeholder: str) -> str:
    found = _PLACEHOLDER.fullmatch(placeholder)
    return found[1] if found else placeholder


def _known(name: str) -> None:
    if name not in (*NAMES, INTERVAL):
        known = ", ".join(f"{{{{{each}}}}}" for each in (*NAMES, INTERVAL))
        raise TemplateError(f"holds the unknown placeholder {{{{{name[:40]}}}}}; write one of {known}")


def _meant(written: str, style: str) -> str:
    """The text that a part of a literal stands for."""
    if "{{" in written:
        raise TemplateError("has {{ without }} inside quotes; close the placeholder")
    return written if style == "`" else _ESCAPE.sub(lambda found: _character(found.group()), written)


def _character(escape: str) -> str:
    kind, digits = escape[1:2], escape[2:]
    if digits and kind in "xuU":
        code = int(digits, 16)
    elif len(escape) == 4 and escape[1:].isdigit():
        code = int(escape[1:], 8)
    elif kind in _PLAIN_ESCAPES:
        return _PLAIN_ESCAPES[kind]
    else:
        raise TemplateError(f"has the unknown escape {escape} beside a placeholder; write \\\\ for a backslash, or the text in backticks")
    if (kind not in "uU" and code > 0x7F) or code > 0x10FFFF:  # in Go single bytes, of which several make a character
        raise TemplateError(f"has the escape {escape} beside a placeholder; write the character itself")
    return chr(code)


def _may_stand(expression: str, name: str) -> None:
    """Whether a group may follow this beginning of a regular expression (RE2) and mean itself."""
    inside_class, rest = False, iter(enumerate(expression))
    for at, character in rest:
        if character == "\\":
            _, following = next(rest, (0, ""))
            if following in ("", "Q"):
                raise TemplateError(
                    f"holds {{{{{name}}}}} after a backslash of a regular expression; leave the backslash out: values are escaped"
                )
        elif inside_class:
            inside_class = character != "]" or expression[:at].endswith(("[", "[^"))
        else:
            inside_class = character == "["
    if inside_class:
        raise TemplateError(f"holds {{{{{name}}}}} inside [...] of a regular expression; write it outside")
