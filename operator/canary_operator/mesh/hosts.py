"""Host names as Istio reads them: short names, full names, wildcards.

Source: `ResolveShortnameToFQDN` in istio/istio pilot/pkg/model/virtualservice.go and `Name.SubsetOf` in pkg/config/host/name.go, 1.30.
"""

DOMAIN = "cluster.local"
MESH = "mesh"
"""What a VirtualService calls all sidecars and waypoints, in its list of gateways."""


def service_fqdn(name: str, namespace: str, domain: str = DOMAIN) -> str:
    """The full name of a Service, the only spelling that means the same in every namespace.

    >>> service_fqdn("reviews", "shop")
    'reviews.shop.svc.cluster.local'
    """
    return f"{name}.{namespace}.svc.{domain}"


def expand(host: str, namespace: str, domain: str = DOMAIN) -> str:
    """What Istio takes a host in a rule of this namespace for: a name without dots is a Service there, anything else stays as it is.

    >>> expand("reviews", "shop"), expand("reviews.shop", "shop"), expand("*", "shop")
    ('reviews.shop.svc.cluster.local', 'reviews.shop', '*')
    """
    return host if "." in host or host == "*" else service_fqdn(host, namespace, domain)


def matches(host: str, pattern: str) -> bool:
    """Whether a pattern covers the host. Both are expanded already; a wildcard stands at the front only, and covers narrower wildcards too.

    >>> matches("reviews.shop.svc.cluster.local", "*.shop.svc.cluster.local"), matches("shop.com", "*.shop.com"), matches("*.shop.com", "*")
    (True, False, True)
    """
    if not pattern.startswith("*"):
        return host == pattern
    if host.startswith("*"):
        return len(host) >= len(pattern) and host[1:].endswith(pattern[1:])
    return host.endswith(pattern[1:])
