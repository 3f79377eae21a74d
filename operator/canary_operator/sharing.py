"""One copy of what many trimmed documents have in common: names, owners, containers. Pure, but that it keeps the latest few thousand.

Of eleven ReplicaSets of a Deployment the API server tells the same owner, labels and containers eleven times. Documents of the cache are never
changed, so equal parts may be the very same object.
"""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from sys import intern
from typing import Any

MOST = 4096
"""Different parts that are kept for the next documents. A part lives as long as a document has it, kept here or not."""


def shared(part: Any) -> Any:
    """An equal value, the same one for all that asked lately: of a mapping or a list as JSON has them."""
    return _shared(json.dumps(part))


def interned(labels: Mapping[str, str]) -> dict[str, str]:
    """The same labels; keys and values that others have too are there once."""
    return {_interned(key): _interned(value) for key, value in labels.items()}


def picked(document: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """These fields of a document, as far as it has them, with texts that others have too there once."""
    return {key: _interned(document[key]) for key in fields if key in document}


def _interned(value: Any) -> Any:
    return intern(value) if type(value) is str else value


@lru_cache(MOST)
def _shared(text: str) -> Any:
    return json.loads(text, object_pairs_hook=lambda pairs: {_interned(key): _interned(value) for key, value in pairs})
