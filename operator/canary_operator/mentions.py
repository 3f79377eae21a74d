"""Which hosts, delegates and gateways an object names, in one spelling for all who index or look up by them. Pure.

Source of the expansion of short names: `ResolveShortnameToFQDN` in istio/istio pilot/pkg/model/virtualservice.go, 1.30.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]
Name = tuple[str, str]
"""Namespace and name."""


def spellings(host: str, namespace: str) -> set[str]:
    """What a host in an object of this namespace may mean, whatever the cluster's domain is.

    A Service's full name loses its domain; `name.ns` may be a Service or a name of its own, so it means both.

    >>> sorted(spellings("reviews", "shop")), sorted(spellings("reviews.shop.svc.cluster.local", "x")), sorted(spellings("reviews.shop", "x"))
    (['reviews.shop.svc'], ['reviews.shop.svc'], ['reviews.shop', 'reviews.shop.svc'])
    """
    host = host.lower()
    parts = host.split(".")
    if len(parts) == 1 and host != "*":
        return {f"{host}.{namespace}.svc"}
    if len(parts) >= 3 and parts[2] == "svc":
        return {".".join(parts[:3])}
    return {host, f"{host}.svc"} if len(parts) == 2 else {host}


def full(spelling: str, domain: str) -> str:
    """A spelling with the cluster's domain again, as wildcards such as `*.local` are written against."""
    return f"{spelling}.{domain}" if spelling.endswith(".svc") else spelling


def hosts_of(document: Document) -> set[str]:
    """The hosts that a VirtualService or DestinationRule rules, wildcards among them."""
    spec, namespace = document.get("spec") or {}, document["metadata"].get("namespace", "")
    texts = [*(spec.get("hosts") or ()), spec.get("host")]
    return {host for text in texts if isinstance(text, str) and text for host in spellings(text, namespace)}


def destinations_of(document: Document) -> set[str]:
    """The hosts that a VirtualService sends requests or copies of them to."""
    spec, namespace = document.get("spec") or {}, document["metadata"].get("namespace", "")
    found: set[str] = set()
    for protocol in ("http", "tcp", "tls"):
        for route in spec.get(protocol) or ():
            targets = [*(route.get("route") or ()), *(route.get("mirrors") or ()), {"destination": route.get("mirror")}]
            for target in targets:
                text = (target.get("destination") or {}).get("host")
                found |= spellings(str(text), namespace) if text else set()
    return found


def delegates_of(document: Document) -> Iterator[Name]:
    """The VirtualServices that a root delegates to. Without a namespace it means its own."""
    for route in (document.get("spec") or {}).get("http") or ():
        delegate = route.get("delegate") or {}
        if delegate.get("name"):
            yield str(delegate.get("namespace") or document["metadata"].get("namespace", "")), str(delegate["name"])


def service_named(release: Document) -> Name:
    """The Service whose traffic a CanaryRelease moves."""
    spec = release.get("spec") or {}
    return release["metadata"].get("namespace", ""), str((spec.get("service") or {}).get("name", ""))


def hosts_wanted(release: Document) -> set[str]:
    """The hosts that a CanaryRelease's route has: its Service's, and those that `traffic.owned` names."""
    owned = ((release.get("spec") or {}).get("traffic") or {}).get("owned") or {}
    namespace, service = service_named(release)
    return {host for text in (service, *(owned.get("hosts") or ())) for host in spellings(text, namespace)}


def attached_by(release: Document | None) -> set[str]:
    """The VirtualServices that a CanaryRelease attaches, by name."""
    attach = (((release or {}).get("spec") or {}).get("traffic") or {}).get("attach") or ()
    return {str(each.get("virtualService", "")) for each in attach}
