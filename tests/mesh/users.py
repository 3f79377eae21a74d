"""What users write themselves: VirtualServices, DestinationRules, roots; and how they look without what the operator manages."""

from copy import deepcopy
from typing import Any

from lab.waiting import until
from tests.mesh.shop import NAME, Shop

Document = dict[str, Any]


def document(shop: Shop, kind: str, name: str, **spec: Any) -> Document:
    """An object of Istio's in the shop's namespace."""
    metadata = {"name": name, "namespace": shop.namespace}
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def split(host: str, port: int | None = 9080, **more: Any) -> Document:
    """An http route named primary over the two subsets, as Git has it: everything at stable."""
    shares = [
        {"destination": {"host": host, "subset": subset, **({"port": {"number": port}} if port else {})}, "weight": weight, **headers}
        for subset, weight, headers in (("stable", 100, {}), ("canary", 0, {"headers": {"response": {"set": {"x-from": "canary"}}}}))
    ]
    return {"name": "primary", "route": shares, **more}


def at_rest(version: str) -> list[Document]:
    """Both subsets, selecting one version."""
    return [{"name": subset, "labels": {"version": version}} for subset in ("stable", "canary")]


def stored(shop: Shop, kind: str, name: str) -> Document:
    """The object as the API server has it."""
    return shop.lab.api.get(shop.lab.api.path("networking.istio.io/v1", kind, shop.namespace, name))


def weights(shop: Shop, name: str) -> list[int]:
    """The canary's weight in each http route of that VirtualService that has one."""
    routes = stored(shop, "VirtualService", name)["spec"]["http"]
    return [share["weight"] for http in routes for share in http.get("route") or () if share["destination"].get("subset") == "canary"]


def content(found: Document) -> Document:
    """All that the user wrote: spec, labels and annotations."""
    metadata = found["metadata"]
    kept = {field: metadata[field] for field in ("labels", "annotations", "finalizers", "ownerReferences") if metadata.get(field)}
    return {"spec": found["spec"], **kept}


def without_weights(found: Document) -> Document:
    """The same without the canary's and stable's weights and without our mark."""
    rest = deepcopy(content(found))
    for http in rest["spec"]["http"]:
        for share in http.get("route") or ():
            if share["destination"].get("subset") in ("stable", "canary"):
                share.pop("weight", None)
    annotations = rest.pop("annotations", {})
    annotations.pop(f"mark.canary.rollouts.dev/{NAME}", None)
    return rest | ({"annotations": annotations} if annotations else {})


def gone(shop: Shop, seconds: float = 40) -> None:
    """Deletes the CanaryRelease and waits until it is gone."""
    shop.lab.api.delete(shop.path)
    until(lambda: shop.lab.api.find(shop.path) is None, f"CanaryRelease {NAME} is gone; it says {shop.status.get('message')}", seconds)
