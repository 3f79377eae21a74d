"""What of a document is worth its memory, and what of it is routing. Pure."""

from collections.abc import Mapping
from typing import Any

import yaml

from canary_operator.api.names import MANAGER, TOUCHED_BY
from canary_operator.clients.kinds import CONFIG_MAP, DESTINATION_RULE, ENDPOINT_SLICE, POD, REPLICA_SET, SERVICE, VIRTUAL_SERVICE, Kind
from canary_operator.sharing import interned, picked, shared
from canary_operator.traffic.mark import marks
from canary_operator.workloads.model import Endpoint
from canary_operator.workloads.reading import endpoint_of
from canary_operator.workloads.revision import ROLLOUT_NUMBER

REVISION = ROLLOUT_NUMBER
ROLLOUTS_REVISION = "rollout.argoproj.io/revision"
"""The same of Argo's Rollouts, whose ReplicaSets serve like any other."""
SERVICE_NAME = "kubernetes.io/service-name"
PROXY = "istio-proxy"
"""Name of a sidecar's container."""
ROUTING = frozenset((VIRTUAL_SERVICE, DESTINATION_RULE))
_SHARED_IDENTITY = ("namespace",)
_IDENTITY = ("name", "uid", "resourceVersion")

Document = Mapping[str, Any]


def trimmed(kind: Kind, document: Document) -> dict[str, Any]:
    """What the cache keeps: everything for kinds that are written, a few fields for those that are only counted."""
    if kind == REPLICA_SET:
        return _replica_set(document)
    if kind == ENDPOINT_SLICE:
        return _endpoint_slice(document)
    metadata = {key: value for key, value in document["metadata"].items() if key != "managedFields"}
    if kind in ROUTING and (editor := _last_editor(document)):
        metadata[TOUCHED_BY] = editor
    whole = {"apiVersion": kind.api_version, "kind": kind.kind, **document, "metadata": metadata}
    if kind == SERVICE:
        whole.pop("status", None)
    return whole


def touched_by(document: Document | None) -> str | None:
    """The field manager that wrote a trimmed routing object last, when that was somebody else; None: we did, or nobody knows."""
    return document["metadata"].get(TOUCHED_BY) if document is not None else None


def _last_editor(document: Document) -> str | None:
    """The manager of the newest entry that is not ours; ours is newest only if it is newer than all: the times are whole seconds."""
    metadata = document["metadata"]
    if TOUCHED_BY in metadata:  # trimmed already
        return str(metadata[TOUCHED_BY])
    entries = [each for each in metadata.get("managedFields") or () if not each.get("subresource") and each.get("time")]
    ours = max((each["time"] for each in entries if each.get("manager") == MANAGER), default="")
    others = [each for each in entries if each.get("manager") != MANAGER and each["time"] >= ours]
    return str(max(others, key=lambda each: each["time"])["manager"]) if others else None


def without_version(document: Document) -> dict[str, Any]:
    """The document but for its resource version: two that are equal in this say the same."""
    metadata = {key: value for key, value in document["metadata"].items() if key != "resourceVersion"}
    return {**document, "metadata": metadata}


def routing_content(document: Document | None) -> tuple[object, object] | None:
    """What of a VirtualService or DestinationRule proxies and we go by: the spec, and all marks of ours. None: there is none."""
    if document is None:
        return None
    return document.get("spec"), marks(document)


def _replica_set(document: Document) -> dict[str, Any]:
    metadata, spec = document["metadata"], document.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    revision = annotations.get(REVISION) or annotations.get(ROLLOUTS_REVISION)
    owners = [{key: owner.get(key) for key in ("kind", "name", "uid", "controller")} for owner in metadata.get("ownerReferences") or ()]
    template = _template(spec.get("template") or {})
    labels = interned(template["metadata"]["labels"])
    return {
        "metadata": {
            **_identity(metadata),
            "creationTimestamp": metadata.get("creationTimestamp"),
            "labels": labels if metadata.get("labels") == labels else interned(metadata.get("labels") or {}),
            "annotations": shared({REVISION: revision} if revision else {}),
            "ownerReferences": shared(owners),
        },
        "spec": {
            "replicas": spec.get("replicas", 1),
            "template": {"metadata": {**template["metadata"], "labels": labels}, "spec": shared(template["spec"])},
        },
    }


def _template(template: Mapping[str, Any]) -> dict[str, Any]:
    """Of a pod template what injection and the Service's ports go by."""
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    injection = {key: value for key, value in (metadata.get("annotations") or {}).items() if "istio.io" in key}
    containers = {key: [_container(each) for each in spec[key]] for key in ("containers", "initContainers") if spec.get(key)}
    return {
        "metadata": {"labels": metadata.get("labels") or {}, **({"annotations": injection} if injection else {})},
        "spec": {**containers, **({"hostNetwork": True} if spec.get("hostNetwork") else {})},
    }


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    ports = [{key: port[key] for key in ("name", "containerPort") if key in port} for port in container.get("ports") or ()]
    return {"name": container.get("name"), **({"ports": ports} if ports else {})}


def looked_up(kind: Kind, document: Document) -> dict[str, Any]:
    """What is kept of an object that is read while a release needs it: of a pod its containers' names and whether it is ready."""
    metadata = {key: value for key, value in document["metadata"].items() if key != "managedFields"}
    if kind == CONFIG_MAP:
        return {"metadata": metadata, "mesh": _mesh_config(document)}
    if kind != POD:
        return {**document, "metadata": metadata}
    conditions = [each for each in (document.get("status") or {}).get("conditions") or () if each.get("type") == "Ready"]
    kept = ("name", "namespace", "uid", "labels", "ownerReferences", "creationTimestamp", "generateName", "deletionTimestamp")
    template = _template(document)
    annotations = {"annotations": found} if (found := template["metadata"].get("annotations")) else {}
    spec = document.get("spec") or {}
    return {
        "metadata": {key: metadata[key] for key in kept if key in metadata} | annotations,
        "spec": template["spec"] | ({"proxyDomain": domain} if (domain := _proxy_domain(spec)) else {}),
        "status": {"conditions": conditions},
    }


def _proxy_domain(spec: Mapping[str, Any]) -> str | None:
    """The cluster's domain as the sidecar of a pod was told it; None: it has none, or was not told.

    The injector writes `--domain $(POD_NAMESPACE).svc.DOMAIN`: manifests/charts/istio-control/istio-discovery/files/injection-template.yaml.
    """
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        words = [str(each) for each in container.get("args") or ()] if container.get("name") == PROXY else []
        if "--domain" in words[:-1]:
            return words[words.index("--domain") + 1].partition(".svc.")[2] or None
    return None


def _mesh_config(document: Document) -> dict[str, Any] | None:
    """What the mesh config says of exports; None: it cannot be read. Source: `mesh` in Istio's ConfigMap, YAML."""
    try:
        found = yaml.safe_load((document.get("data") or {}).get("mesh") or "{}")
    except yaml.YAMLError:
        return None
    return {key: value for key, value in found.items() if str(key).endswith("ExportTo")} if isinstance(found, dict) else None


def _endpoint_slice(document: Document) -> dict[str, Any]:
    metadata = document["metadata"]
    service = (metadata.get("labels") or {}).get(SERVICE_NAME)
    return {
        "metadata": {
            **_identity(metadata),
            "creationTimestamp": metadata.get("creationTimestamp"),
            "labels": {SERVICE_NAME: service} if service else {},
        },
        "endpoints": tuple(
            endpoint if isinstance(endpoint, Endpoint) else endpoint_of(endpoint) for endpoint in document.get("endpoints") or ()
        ),
    }


def _identity(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return picked(metadata, _SHARED_IDENTITY) | {key: metadata[key] for key in _IDENTITY if key in metadata}


def name_of(document: Document) -> tuple[str, str]:
    """Namespace and name."""
    metadata = document["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def service_of(endpoint_slice: Document | None) -> tuple[str, str] | None:
    """The Service that an EndpointSlice belongs to; None: none."""
    service = endpoint_slice["metadata"]["labels"].get(SERVICE_NAME) if endpoint_slice else None
    return (endpoint_slice["metadata"]["namespace"], service) if endpoint_slice and service else None


def pods_of(endpoint_slice: Document | None) -> set[tuple[str, str]]:
    """Name and uid of each pod that a trimmed EndpointSlice names."""
    return {(each.name, each.uid) for each in endpoint_slice["endpoints"] if each.is_pod} if endpoint_slice else set()


def version_of(document: Document) -> int | None:
    """The resource version as a number, as Kubernetes orders them; None: unknown."""
    text = str(document["metadata"].get("resourceVersion", ""))
    return int(text) if text.isdecimal() else None
