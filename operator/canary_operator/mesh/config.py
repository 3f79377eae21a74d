"""What the operator knows of the mesh as a whole: the cluster's domain, and what the mesh config says for objects that say nothing themselves.

Field rules: istio.io/latest/docs/reference/config/istio.mesh.v1alpha1, and `initDefaultExportMaps` in istio/istio 1.30
pilot/pkg/model/push_context.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from canary_operator.mesh.hosts import DOMAIN

ROOT = "istio-system"
CONFIG_MAP = (ROOT, "istio")
"""Namespace and name of the ConfigMap in which Istio's default revision keeps its mesh config; that of a revision is called `istio-REVISION`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshConfig:
    """The fields of a mesh config that decide who sees what. As Istio has them when nobody sets them."""

    services: tuple[str, ...] = ("*",)
    """`defaultServiceExportTo`: who sees a Service without annotation."""
    virtual_services: tuple[str, ...] = ("*",)
    """`defaultVirtualServiceExportTo`: who sees a VirtualService without `exportTo`."""
    destination_rules: tuple[str, ...] = ("*",)
    """`defaultDestinationRuleExportTo`: the same of DestinationRules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """The mesh that the operator works in."""

    domain: str = DOMAIN
    """Of the cluster, in the full names of Services."""
    config_map: tuple[str, str] = CONFIG_MAP
    """Namespace and name of the ConfigMap with the mesh config; the namespace is the mesh's root namespace."""
    config: MeshConfig | None = None
    """None: not read yet. Where it cannot be read, Istio's defaults are taken, and a warning says so."""


def config_of(fields: Mapping[str, Any]) -> MeshConfig:
    """The mesh config in a document; an entry that is no list of texts counts as not set."""

    def exports(key: str) -> tuple[str, ...]:
        found = fields.get(key)
        return tuple(found) if isinstance(found, list) and found and all(isinstance(each, str) for each in found) else ("*",)

    return MeshConfig(
        services=exports("defaultServiceExportTo"),
        virtual_services=exports("defaultVirtualServiceExportTo"),
        destination_rules=exports("defaultDestinationRuleExportTo"),
    )
