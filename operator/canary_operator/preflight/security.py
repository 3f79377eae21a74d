"""Whether callers and pods agree on mTLS. Where nobody says anything they do: auto mTLS asks each endpoint what it has.

Source: `ComposePeerAuthentication` in istio/istio 1.30 pilot/pkg/security/authn, and the order of `tls` in a DestinationRule's policies.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from canary_operator.preflight import reads
from canary_operator.preflight.facts import Arm, Check, Facts
from canary_operator.preflight.finding import MTLS_CONFLICT, Finding
from canary_operator.preflight.labels import labels_of
from canary_operator.preflight.ports import Port, moved_ports
from canary_operator.preflight.reading import Document
from canary_operator.preflight.scope import rules_of_our_host, spec_of, title

_INHERITED = (None, "UNSET")


def agrees(facts: Facts) -> Iterator[Finding]:
    """The pods take what callers send: plaintext is refused under STRICT, mTLS under DISABLE."""
    for arm in facts.arms:
        found: dict[tuple[str, str, str, str], list[object]] = {}
        for entry in moved_ports(facts):
            wanted, by = _taken(facts, arm, entry)
            for rule in rules_of_our_host(facts):
                sent, where = _sent(rule, arm, entry)
                if sent is not None and wanted is not None:
                    found.setdefault((title(rule, "DestinationRule"), sent, where, f"{wanted} {by}"), []).append(entry.get("port"))
        for (name, sent, where, taken), ports in found.items():
            yield from _conflict(arm, name, sent, where, taken, ", ".join(map(str, ports)))


def _conflict(arm: Arm, name: str, sent: str, where: str, taken: str, ports: str) -> Iterator[Finding]:
    wanted, _, by = taken.partition(" ")
    several = f" on port {ports}"
    if wanted == "STRICT" and sent != "ISTIO_MUTUAL":
        yield Finding(
            MTLS_CONFLICT,
            f"{name} says `tls: {{mode: {sent}}}` in {where}, and {by} takes mTLS only (STRICT), so requests to {arm.version}{several} get 503: "
            f"take that `tls` out of the DestinationRule, or write `mode: PERMISSIVE` into the PeerAuthentication",
        )
    elif wanted == "DISABLE" and sent == "ISTIO_MUTUAL":
        yield Finding(
            MTLS_CONFLICT,
            f"{name} says `tls: {{mode: ISTIO_MUTUAL}}` in {where}, and {by} takes plaintext only (DISABLE), so requests to "
            f"{arm.version}{several} get 503: take that `tls` out of the DestinationRule, or write `mode: PERMISSIVE` into the PeerAuthentication",
        )


CHECKS: tuple[Check, ...] = (agrees,)


def _taken(facts: Facts, arm: Arm, entry: Port) -> tuple[str | None, str]:
    """The mode of the pods on a port, and who says so: for these pods, else for the namespace, else for the mesh."""
    labels = labels_of(arm.sets[0]["spec"]["template"]) if arm.sets else {}
    port = _target_port(arm, entry)
    for document in _policies(facts, labels):
        spec = spec_of(document)
        ours = ((spec.get("portLevelMtls") or {}).get(str(port)) or {}).get("mode") if _selector(document) else None
        mode = ours if ours not in _INHERITED else (spec.get("mtls") or {}).get("mode")
        if mode not in _INHERITED:
            return str(mode), title(document, "PeerAuthentication")
    return None, ""


def _policies(facts: Facts, labels: Mapping[str, str]) -> Iterator[Document]:
    """Those that hold for the pods, the one that wins first; of several alike the oldest."""
    here, root = (facts.found(read) or () for read in (reads.policies(facts)[0], reads.policies(facts)[-1]))
    of_pods = [each for each in here if (chosen := _selector(each)) and chosen.items() <= labels.items()]
    for found in (of_pods, [each for each in here if not _selector(each)], [each for each in root if not _selector(each)]):
        yield from sorted(found, key=lambda each: str(each["metadata"].get("creationTimestamp") or ""))


def _selector(document: Document) -> Mapping[str, str]:
    return (spec_of(document).get("selector") or {}).get("matchLabels") or {}


def _sent(rule: Document, arm: Arm, entry: Port) -> tuple[str | None, str]:
    """What callers send to the arm on a port, and where the rule says so; None: auto mTLS, or it does not say."""
    spec = spec_of(rule)
    subsets = [(each.get("trafficPolicy"), f"subset {arm.role}") for each in spec.get("subsets") or () if each.get("name") == arm.role]
    for policy, where in (*subsets, (spec.get("trafficPolicy"), "trafficPolicy")):
        mode = _mode(policy or {}, entry.get("port"))
        if mode is not None:
            return mode, where
    return None, ""


def _mode(policy: Mapping[str, Any], port: object) -> str | None:
    for level in policy.get("portLevelSettings") or ():
        if (level.get("port") or {}).get("number") == port and level.get("tls"):
            return str(level["tls"].get("mode", "DISABLE"))
    return str(policy["tls"].get("mode", "DISABLE")) if policy.get("tls") else None


def _target_port(arm: Arm, entry: Port) -> object:
    """The number that the pods listen on, as portLevelMtls writes it; a name is looked up among the ports that the pods declare."""
    target = entry.get("targetPort") or entry.get("port")
    containers = (arm.sets[0]["spec"]["template"].get("spec") or {}).get("containers") or () if arm.sets else ()
    declared = {port.get("name"): port.get("containerPort") for each in containers for port in each.get("ports") or ()}
    return declared.get(target, target)
