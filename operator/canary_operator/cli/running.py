"""Whether an operator is still at work, read off what it leaves in the cluster. Pure but for the time, which is passed in."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from canary_operator.api.names import MANAGER

Document = Mapping[str, Any]

JUST_NOW = timedelta(seconds=30)
"""A write of the operator that is younger says that it is at work."""
LEASE = timedelta(seconds=15)
"""How long a lease without a duration of its own is held."""


def operator_at_work(leases: Iterable[Document], deployments: Iterable[Document], written: Iterable[Document], now: datetime) -> str | None:
    """A sentence that says what shows that an operator runs; None when nothing does.

    Args:
        leases: Leases of the cluster.
        deployments: Deployments of the cluster with the operator's label.
        written: What the operator writes to: CanaryReleases and routing objects.
        now: The time.
    """
    for lease in leases:
        spec, metadata = lease.get("spec") or {}, lease["metadata"]
        if metadata["name"] == MANAGER and spec.get("holderIdentity") and spec.get("renewTime"):
            held = timedelta(seconds=spec.get("leaseDurationSeconds") or LEASE.total_seconds())
            if now - _time(spec["renewTime"]) < held:
                return f"{spec['holderIdentity']} holds the lease {metadata['namespace']}/{metadata['name']}"
    for deployment in deployments:
        if (deployment.get("status") or {}).get("readyReplicas"):
            return f"Deployment {deployment['metadata']['namespace']}/{deployment['metadata']['name']} has ready pods"
    for document in written:
        times = [_time(entry["time"]) for entry in document["metadata"].get("managedFields") or () if entry.get("manager") == MANAGER]
        if times and now - max(times) < JUST_NOW:
            seconds = int((now - max(times)).total_seconds())
            return f"{document['kind']} {document['metadata']['namespace']}/{document['metadata']['name']} was written {seconds} s ago"
    return None


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
