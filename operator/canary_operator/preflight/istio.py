"""Whether there is a mesh, whether it refuses wrong objects, and what the operator may not see of it."""

from collections.abc import Iterator

from canary_operator.preflight import reads
from canary_operator.preflight.facts import Check, Facts
from canary_operator.preflight.finding import CLUSTER_DOMAIN_WRONG, ISTIO_MISSING, NOT_PERMITTED, VALIDATION_OFF, Finding, Severity
from canary_operator.preflight.reading import NotPermitted, Read, Unserved
from canary_operator.preflight.scope import spec_of, title

ISTIOS_OWN = ("Gateway", "PeerAuthentication", "Sidecar")


def is_installed(facts: Facts) -> Iterator[Finding]:
    """The API server knows Istio's kinds."""
    missing = sorted({read.kind for read, listing in facts.around.items() if isinstance(listing, Unserved) and read.kind in ISTIOS_OWN})
    if missing:
        yield Finding(
            ISTIO_MISSING,
            f"The API server does not know the kind {' and '.join(missing)}: install Istio 1.22 or newer: istioctl install",
        )


def names_services_alike(facts: Facts) -> Iterator[Finding]:
    """Under another domain no proxy knows the host that the operator writes: a gateway answers 503, and in the mesh weights have no effect."""
    read = reads.pods(facts)
    pods = (facts.found(read) if read else None) or ()
    told = {str(domain): pod for pod in pods if (domain := spec_of(pod).get("proxyDomain"))}
    for domain, pod in sorted(told.items()):
        if domain != facts.domain:
            yield Finding(
                CLUSTER_DOMAIN_WRONG,
                f"The sidecar of {title(pod, 'Pod')} knows Services under the domain {domain}, and the operator writes hosts under {facts.domain}: "
                f"write `clusterDomain: {domain}` into the operator's configuration and restart it, or correct the proxies' "
                "`global.proxy.clusterDomain` in Istio's values and restart the pods",
            )


def refuses_what_is_wrong(facts: Facts) -> Iterator[Finding]:
    """The webhook of istiod checks VirtualServices and DestinationRules; without it wrong ones are stored and ignored silently."""
    found = facts.found(reads.VALIDATING)
    if found is None:
        return
    istios = [each for each in found if each["metadata"]["name"].startswith(("istiod-default-validator", "istio-validator"))]
    hooks = [hook for each in istios for hook in each.get("webhooks") or ()]
    if not hooks:
        yield Finding(
            VALIDATION_OFF,
            "No ValidatingWebhookConfiguration of Istio's exists, so wrong VirtualServices and DestinationRules are stored and then ignored: "
            "install Istio's base chart with `defaultRevision` set",
            Severity.WARNING,
        )
    elif all(hook.get("failurePolicy") == "Ignore" for hook in hooks):
        yield Finding(
            VALIDATION_OFF,
            f"ValidatingWebhookConfiguration {istios[0]['metadata']['name']} lets everything pass while istiod is away, as istiod itself has "
            "not set `failurePolicy: Fail`: see whether istiod runs: kubectl get pods -n istio-system",
            Severity.WARNING,
        )


def may_be_looked_at(facts: Facts) -> Iterator[Finding]:
    """What the operator may not read stays unchecked: told once, with the rights."""
    denied = [read for read, listing in facts.around.items() if isinstance(listing, NotPermitted)]
    if denied:
        words = sorted({read.words for read in denied})
        yield Finding(
            NOT_PERMITTED,
            f"The operator may not {', '.join(words)}, so {_unchecked(denied)} not checked: "
            "give its ServiceAccount these rights (deploy/install.yaml holds them), or check that by hand",
            Severity.WARNING,
        )


CHECKS: tuple[Check, ...] = (is_installed, names_services_alike, refuses_what_is_wrong, may_be_looked_at)

_SUBJECTS = {
    "ConfigMap": "default exports",
    "Namespace": "injection",
    "MutatingWebhookConfiguration": "injection",
    "ValidatingWebhookConfiguration": "validation",
    "Pod": "sidecars",
    "Gateway": "gateways",
    "PeerAuthentication": "mTLS",
    "Sidecar": "visibility",
    "Waypoint": "waypoints",
    "WorkloadEntry": "virtual machines behind the Service",
}


def _unchecked(denied: list[Read]) -> str:
    subjects = sorted({_SUBJECTS.get(read.kind, read.kind) for read in denied})
    return f"{' and '.join(subjects)} {'is' if len(subjects) == 1 else 'are'}"
