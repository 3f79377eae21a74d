"""The cluster's domain, as this process finds it: in the settings, else in the search list that the kubelet gives every pod."""

from pathlib import Path

from canary_operator.mesh.hosts import DOMAIN

RESOLV_CONF = Path("/etc/resolv.conf")


def cluster_domain(setting: str | None, resolv_conf: Path = RESOLV_CONF) -> str:
    """The domain of the Services' full names.

    Args:
        setting: `clusterDomain` of the configuration; None: not set.
        resolv_conf: As the kubelet writes it: `search NAMESPACE.svc.DOMAIN svc.DOMAIN DOMAIN`.
    """
    if setting is not None:
        return setting
    try:
        lines = resolv_conf.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return DOMAIN
    # Of several `search` lines the last one counts: resolv.conf(5).
    searches = [line.split()[1:] for line in lines if line.split()[:1] == ["search"]]
    found = (name.removeprefix("svc.").rstrip(".").lower() for name in (searches[-1] if searches else ()) if name.startswith("svc."))
    return next((domain for domain in found if domain), DOMAIN)
