"""Whether all who see the Service see its routes and subsets too.

The operator's own objects are exported as the Service is, and say so, whatever the mesh config's defaults are. What users wrote is theirs: a
DestinationRule that fewer see leaves the others without the subsets (503), a VirtualService that fewer see leaves them without the weights.
Nothing is asked before the mesh config was looked for: no release starts before that either.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from canary_operator.mesh.config import MeshConfig
from canary_operator.mesh.exports import ANNOTATION, NONE, covers, normal, reaches, written
from canary_operator.mesh.hosts import MESH
from canary_operator.mesh.routes import names_delegate
from canary_operator.preflight import reads
from canary_operator.preflight.facts import Check, Facts
from canary_operator.preflight.finding import MESH_CONFIG_UNKNOWN, NOT_EXPORTED, Finding, Severity
from canary_operator.preflight.scope import gateways_of, is_ours, namespace_of, rules_of_our_host, spec_of, title

Document = Mapping[str, Any]


def service_is_exported(facts: Facts) -> Iterator[Finding]:
    """Where nobody sees the Service no proxy has a route to it, and a gateway that does not answers 503."""
    if facts.service is None or facts.mesh.config is None:
        return
    if facts.export_to == (NONE,):
        yield Finding(
            NOT_EXPORTED,
            f'{_service(facts)} is exported to nobody, so no proxy knows it: write `{ANNOTATION}: "*"`, or the namespaces of its callers, into its '
            "metadata.annotations",
        )
        return
    for gateway, read in reads.gateway_pods(facts).items():
        blind = sorted(
            {
                str(pod["metadata"]["namespace"])
                for pod in facts.found(read) or ()
                if not reaches(facts.export_to, facts.namespace, str(pod["metadata"]["namespace"]))
            }
        )
        if blind:
            yield Finding(
                NOT_EXPORTED,
                f"{_service(facts)} is exported to {written(facts.export_to)}, and the pods of Gateway {gateway} are in {', '.join(blind)}, which "
                f'does not see it: write `{ANNOTATION}: "{",".join((*facts.export_to, *blind))}"` into its metadata.annotations',
            )


def rules_are_exported(facts: Facts) -> Iterator[Finding]:
    """Who sees a route and not the subsets that it names gets 503."""
    for rule in rules_of_our_host(facts) if facts.mesh.config else ():
        exports = _exports(rule, _config(facts).destination_rules)
        if not is_ours(rule, facts) and not spec_of(rule).get("workloadSelector") and not covers(exports, facts.export_to):
            yield _too_narrow(
                facts,
                title(rule, "DestinationRule"),
                rule,
                exports,
                "callers elsewhere would be sent to subsets that they do not know, and get 503",
            )


def routes_are_exported(facts: Facts) -> Iterator[Finding]:
    """Who sees the Service and no route goes to the pods of all versions, whatever the weights are. Several routes may share the callers."""
    users = [each for each in _users_routes(facts) if MESH in gateways_of(each)]
    seen = [_from(_exports(each, _config(facts).virtual_services), namespace_of(each), facts.namespace) for each in users]
    if (
        not users
        or facts.mesh.config is None
        or covers(normal((name for exports in seen for name in exports), facts.namespace), facts.export_to)
    ):
        return
    for each, exports in zip(users, seen, strict=True):
        yield _too_narrow(facts, title(each, "VirtualService"), each, exports, "callers elsewhere would go past the weights")


def roots_see_their_delegate(facts: Facts) -> Iterator[Finding]:
    """A delegate that is not exported to its root's namespace does not exist for it, and that part of the root answers 404."""
    for root in _users_routes(facts) if facts.delegate and facts.mesh.config else ():
        where = namespace_of(root)
        if not reaches(facts.export_to, facts.namespace, where):
            yield Finding(
                NOT_EXPORTED,
                f"{title(root, 'VirtualService')} delegates to {facts.namespace}/{facts.release}, which is exported as its Service is, to "
                f'{written(facts.export_to)}, so Istio leaves the route out: write `{ANNOTATION}: "{",".join((*facts.export_to, where))}"` into the '
                f"metadata.annotations of {_service(facts)}",
            )


def mesh_config_is_known(facts: Facts) -> Iterator[Finding]:
    """Without it nobody knows who sees what says nothing itself; what Istio does by default is taken."""
    read = reads.mesh_config(facts.mesh.config_map)
    found = facts.found(read)
    if found is None or (found and found[0].get("mesh") is not None):
        return
    if reads.namespace(facts) not in facts.around:
        return  # at rest each process reads the mesh config alone, once: that is no news of the CanaryRelease
    name = "/".join(facts.mesh.config_map)
    what = f"ConfigMap {name} holds no mesh config that is valid YAML" if found else f"ConfigMap {name} does not exist"
    yield Finding(
        MESH_CONFIG_UNKNOWN,
        f"{what}, so what says nothing of exports is taken to be exported to everybody: write the namespace and name of Istio's mesh config into "
        "`meshConfig` of the operator's configuration, such as `meshConfig: istio-system/istio-REVISION`",
        Severity.WARNING,
    )


CHECKS: tuple[Check, ...] = (service_is_exported, rules_are_exported, routes_are_exported, roots_see_their_delegate, mesh_config_is_known)


def _users_routes(facts: Facts) -> list[Document]:
    """The user's VirtualServices that lead to the managed routes: those that are attached, or the roots of the delegate."""
    attached = {(facts.namespace, each.virtual_service) for each in facts.attachments}
    return [
        each
        for each in facts.virtual_services
        if (namespace_of(each), each["metadata"]["name"]) in attached
        or (facts.delegate and names_delegate(each, facts.namespace, facts.release))
    ]


def _config(facts: Facts) -> MeshConfig:
    return facts.mesh.config or MeshConfig()


def _exports(document: Document, default: Sequence[str]) -> tuple[str, ...]:
    return normal(spec_of(document).get("exportTo") or default, namespace_of(document))


def _from(exports: Sequence[str], own: str, namespace: str) -> tuple[str, ...]:
    """The same audience as an object of our namespace would write it."""
    return normal((own if each == "." else each for each in exports), namespace)


def _too_narrow(facts: Facts, what: str, document: Document, exports: Sequence[str], so: str) -> Finding:
    own = namespace_of(document)
    write = written(normal((facts.namespace if each == "." else each for each in facts.export_to), own))
    says = (
        f"is exported to {written(exports)}"
        if spec_of(document).get("exportTo")
        else f"is exported to {written(exports)} by the mesh config"
    )
    return Finding(
        NOT_EXPORTED,
        f"{what} {says} and {_service(facts)} to {written(facts.export_to)}, so {so}: write `exportTo: {write}` into its spec, or "
        f'`{ANNOTATION}: "{",".join(_from(exports, own, facts.namespace))}"` into the metadata.annotations of the Service',
    )


def _service(facts: Facts) -> str:
    return f"Service {facts.namespace}/{facts.service_name}"
