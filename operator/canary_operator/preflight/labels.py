"""Labels as Kubernetes reads them."""

from collections.abc import Mapping
from typing import Any


def labels_of(document: Mapping[str, Any] | None) -> Mapping[str, str]:
    """Labels of an object or of a pod template; none when it has none."""
    return ((document or {}).get("metadata") or {}).get("labels") or {}


def annotations_of(document: Mapping[str, Any] | None) -> Mapping[str, str]:
    """Annotations of an object or of a pod template; none when it has none."""
    return ((document or {}).get("metadata") or {}).get("annotations") or {}


def owner_name(document: Mapping[str, Any]) -> str | None:
    """Name of the controller that made the object; None: nobody's."""
    owners = document["metadata"].get("ownerReferences") or ()
    return next((str(owner["name"]) for owner in owners if owner.get("controller")), None)


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a `LabelSelector` holds for these labels. One that is empty or absent holds for all."""
    wanted = (selector or {}).get("matchLabels") or {}
    return wanted.items() <= labels.items() and all(_holds(each, labels) for each in (selector or {}).get("matchExpressions") or ())


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return False
