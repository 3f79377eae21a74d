"""Whether another CanaryRelease wants the same Service: the older one works, the newer one waits."""

from collections.abc import Iterator

from canary_operator.preflight.facts import Check, Facts
from canary_operator.preflight.finding import CONFLICT, Finding


def one_release_for_each_service(facts: Facts) -> Iterator[Finding]:
    """Two CanaryReleases on one Service would each undo the other's weights."""
    for peer in facts.releases:
        if (
            (peer.namespace, peer.service) != (facts.namespace, facts.service_name)
            or peer.name == facts.release
            or facts.is_older_than(peer)
        ):
            continue
        yield Finding(
            CONFLICT,
            f"CanaryRelease {peer.namespace}/{peer.name} is older and moves the traffic of Service {facts.namespace}/{facts.service_name}: "
            f"delete one of the two, or write another spec.service.name",
        )


CHECKS: tuple[Check, ...] = (one_release_for_each_service,)
