"""Events on the CanaryRelease: one for what happened, however often the pass that says so is repeated."""

from datetime import datetime
from hashlib import sha256

from canary_operator.api.names import API_VERSION, KIND, MANAGER
from canary_operator.api.status import format_time
from canary_operator.clients.errors import AlreadyExists
from canary_operator.clients.kinds import EVENT
from canary_operator.clients.kubernetes import Cluster
from canary_operator.release.model import Because
from canary_operator.subject import Subject

LONGEST = 1024
"""Characters of an event's message that the API server takes."""


async def announce(because: Because, warning: bool, it: Subject, cluster: Cluster, now: datetime) -> None:
    """Posts an Event whose name is what it says: a pass that is repeated after a crash cannot say it twice.

    Raises:
        ClusterError: The API refused, or its answer is unknown.
    """
    release = it.status.release
    said = f"{it.uid}/{release.number if release else 0}/{release.seq if release else 0}/{because.reason}/{because.message}"
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{it.key.name[:200]}.{sha256(said.encode()).hexdigest()[:16]}", "namespace": it.key.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": it.key.namespace,
            "name": it.key.name,
            "uid": it.uid,
            "resourceVersion": it.document["metadata"]["resourceVersion"],
        },
        "type": "Warning" if warning else "Normal",
        "reason": because.reason,
        "message": because.message[:LONGEST],
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
        "reportingInstance": MANAGER,
        "firstTimestamp": format_time(now),
        "lastTimestamp": format_time(now),
        "count": 1,
    }
    try:
        await cluster.create(EVENT, event)
    except AlreadyExists:
        pass
