"""The matches of a preview route, as Istio writes them.

Source: `HTTPMatchRequest` in istio.io/latest/docs/reference/config/networking/virtual-service; regular expressions are RE2 and cover all of the text.
"""

import re
from collections.abc import Mapping
from typing import Any


def match_of(*, header: str | None, cookie: str | None, exact: str | None, prefix: str | None, regex: str | None) -> Mapping[str, Any]:
    """The match of requests whose header, or whose cookie, has a value.

    Args:
        header: Name of the header; None: a cookie is meant.
        cookie: Name of the cookie, when no header is given.
        exact: The whole value.
        prefix: How the value begins.
        regex: What the whole value matches; the last of the three that is given counts.

    >>> match_of(header="X-Canary", cookie=None, exact="always", prefix=None, regex=None)
    {'headers': {'x-canary': {'exact': 'always'}}}
    """
    if header is not None:
        how = {"exact": exact, "prefix": prefix, "regex": regex}
        # Istio refuses capitals: HTTP/2 has header names in lower case.
        return {"headers": {header.lower(): {key: value for key, value in how.items() if value is not None}}}
    value = regex if regex is not None else f"{re.escape(prefix)}[^;]*" if prefix is not None else re.escape(exact or "")
    return {"headers": {"cookie": {"regex": rf"(.*;\s*)?{re.escape(cookie or '')}=({value})(;.*)?"}}}
