"""Whom an object of Istio's, or a Service, is exported to: `*` everybody, `.` its own namespace, `~` nobody, else names of namespaces.

Sources: `serviceExportTo` in istio/istio 1.30 pilot/pkg/model/push_context.go, the annotation in pilot/pkg/serviceregistry/kube/conversion.go,
`validateExportTo` in pkg/config/validation/validation.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

ALL, OWN, NONE = "*", ".", "~"
ANNOTATION = "networking.istio.io/exportTo"
"""On a Service: namespaces, separated by commas."""


def of_service(service: Mapping[str, Any], default: Sequence[str]) -> tuple[str, ...]:
    """Whom a Service is exported to, as a VirtualService would write it: each once, `*` alone, its own namespace as `.`, in a fixed order.

    Args:
        service: The Service.
        default: What the mesh config says for Services without annotation.
    """
    metadata = service["metadata"]
    text = (metadata.get("annotations") or {}).get(ANNOTATION) or ""
    return normal([each.strip() for each in text.split(",")] if text else default, metadata.get("namespace", ""))


def normal(exports: Iterable[str], namespace: str) -> tuple[str, ...]:
    """The same audience in one spelling. With `~` among others Istio hides the Service from all.

    >>> normal(["web", "shop", "web"], "shop"), normal(["*", "web"], "shop"), normal(["~", "web"], "shop")
    (('.', 'web'), ('*',), ('~',))
    """
    found = {OWN if each == namespace else each for each in exports if each}
    if ALL in found or not found:
        return (ALL,)
    return (NONE,) if NONE in found else tuple(sorted(found))


def covers(wide: Iterable[str], narrow: Iterable[str]) -> bool:
    """Whether all who see the one see the other. Both in the spelling of `normal`, of objects in one namespace."""
    wide, narrow = set(wide), set(narrow) - {NONE}
    return ALL in wide or narrow <= wide


def reaches(exports: Iterable[str], own: str, namespace: str) -> bool:
    """Whether proxies in a namespace see an object of another, or of the same."""
    found = set(exports)
    return ALL in found or namespace in found or (OWN in found and own == namespace)


def written(exports: Iterable[str]) -> str:
    """As a person writes it.

    >>> written(("*",)), written((".", "web"))
    ('["*"]', '[".", "web"]')
    """
    return "[" + ", ".join(f'"{each}"' for each in exports) + "]"
