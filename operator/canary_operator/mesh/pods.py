"""How pods are named: after their ReplicaSet, cut where the name would grow too long. Source: k8s.io/apiserver pkg/storage/names/generate.go."""

PROXY = "istio-proxy"
"""The container that the injector adds."""

_RANDOM = 5
LONGEST_BASE = 63 - _RANDOM
"""Characters of a pod's name before its random ones."""


def base_of_pods(replica_set: str) -> str:
    """What the names of a ReplicaSet's pods begin with, before their random characters.

    >>> base_of_pods("reviews-v1-5d9c"), base_of_pods("x" * 60) == "x" * 58
    ('reviews-v1-5d9c-', True)
    """
    return f"{replica_set}-"[:LONGEST_BASE]


def base_of_pod(pod: str) -> str:
    """A pod's name without its random characters.

    >>> base_of_pod("reviews-v1-5d9c-x7k2p")
    'reviews-v1-5d9c-'
    """
    return pod[:-_RANDOM]
