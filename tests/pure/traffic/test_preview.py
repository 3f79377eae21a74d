"""Which requests a preview route takes."""

import re
from typing import Any

import pytest

from canary_operator.traffic.preview import match_of


def matched(cookie_header: str, **given: Any) -> bool:
    """Whether a Cookie header matches, as RE2 would say it: the whole of it."""
    fields = {"header": None, "cookie": "preview", "exact": None, "prefix": None, "regex": None} | given
    return re.fullmatch(match_of(**fields)["headers"]["cookie"]["regex"], cookie_header) is not None


@pytest.mark.parametrize(
    ("header", "given", "taken"),
    [
        pytest.param("preview=yes", {"exact": "yes"}, True, id="alone"),
        pytest.param("a=b; preview=yes; c=d", {"exact": "yes"}, True, id="among others"),
        pytest.param("a=b;preview=yes", {"exact": "yes"}, True, id="without a space"),
        pytest.param("preview=yes2", {"exact": "yes"}, False, id="more than the value"),
        pytest.param("nopreview=yes", {"exact": "yes"}, False, id="another cookie that ends alike"),
        pytest.param("a=preview=yes", {"exact": "yes"}, False, id="inside another value"),
        pytest.param("preview=y.s", {"exact": "y.s"}, True, id="a dot is a dot"),
        pytest.param("preview=yes", {"exact": "y.s"}, False, id="and nothing else"),
        pytest.param("preview=team-a; x=1", {"prefix": "team-"}, True, id="a prefix"),
        pytest.param("preview=other; x=team-", {"prefix": "team-"}, False, id="not in another cookie"),
        pytest.param("preview=on", {"regex": "on|yes"}, True, id="a regular expression"),
        pytest.param("preview=one", {"regex": "on|yes"}, False, id="covers the whole value"),
    ],
)
def test_cookie(header: str, given: dict[str, Any], taken: bool) -> None:
    assert matched(header, **given) is taken


@pytest.mark.parametrize("how", ["exact", "prefix", "regex"])
def test_header(how: str) -> None:
    fields: dict[str, Any] = {"cookie": None, "exact": None, "prefix": None, "regex": None, how: "v"}
    assert match_of(header="X-Team", **fields) == {"headers": {"x-team": {how: "v"}}}
