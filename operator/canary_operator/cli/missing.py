"""What is missing in the cluster, and the command that mends it."""

from canary_operator.api.names import GROUP
from canary_operator.clients.errors import ClusterError, Forbidden
from canary_operator.clients.kinds import Kind


class MissingInCluster(Exception):
    """Something must be mended before the operator can work; the message is one line with the command."""


def mending_lease(namespace: str, error: ClusterError) -> str:
    """The line that says what to do when the Lease may not be used."""
    off = "or set leaderElection: false and run a single replica"
    if isinstance(error, Forbidden):
        what = f"the operator may not use its lease in the namespace {namespace}; give it its rights: kubectl apply -f deploy/install.yaml"
    else:
        what = f"there is no namespace {namespace} for the lease; make it: kubectl create namespace {namespace}"
    return f"{what}, {off} ({error})"


def mending(kind: Kind, error: ClusterError) -> str:
    """The line that says what to do about a list that was refused."""
    if isinstance(error, Forbidden):
        return f"the operator may not list {kind.resource}; give it its rights: kubectl apply -f deploy/install.yaml ({error})"
    if kind.group == GROUP:
        return f"the kind {kind.kind} is not installed; install it: kubectl apply --server-side -f crds/"
    return f"the kind {kind.kind} ({kind.api_version}) is not served; install Istio 1.22 or newer: istioctl install"
