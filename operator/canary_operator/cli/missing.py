"""What is missing in the cluster, and the command that mends it."""

from canary_operator.api.names import GROUP
from canary_operator.clients.errors import ClusterError, Forbidden
from canary_operator.clients.kinds import Kind


class MissingInCluster(Exception):
    """Something must be mended before the operator can work; the message is one line with the command."""


def mending(kind: Kind, error: ClusterError) -> str:
    """The line that says what to do about a list that was refused."""
    if isinstance(error, Forbidden):
        return f"the operator may not list {kind.resource}; give it its rights: kubectl apply -f deploy/install.yaml ({error})"
    if kind.group == GROUP:
        return f"the kind {kind.kind} is not installed; install it: kubectl apply --server-side -f crds/"
    return f"the kind {kind.kind} ({kind.api_version}) is not served; install Istio 1.22 or newer: istioctl install"
