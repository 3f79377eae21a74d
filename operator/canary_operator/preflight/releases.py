"""Whether another CanaryRelease wants the same Service: the older one works, the newer one waits."""

from collections.abc import Iterator

from canary_operator.preflight.facts import Attachment, Check, Facts
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


def one_release_for_each_route(facts: Facts) -> Iterator[Finding]:
    """Two CanaryReleases that attach one route would each undo the other's weights, whatever their Services are."""
    for peer in facts.releases:
        if peer.namespace != facts.namespace or peer.name == facts.release or facts.is_older_than(peer):
            continue
        for ours in facts.attachments:
            for theirs in peer.attachments:
                shared = ours.virtual_service == theirs.virtual_service and _shared(ours, theirs)
                if shared:
                    yield Finding(
                        CONFLICT,
                        f"CanaryRelease {peer.namespace}/{peer.name} is older and moves {shared} of VirtualService "
                        f"{facts.namespace}/{ours.virtual_service}: delete one of the two, or write another route into spec.traffic.attach",
                    )


def _shared(ours: Attachment, theirs: Attachment) -> str:
    """What both move, in words; empty: nothing. Without names it is the only route, whatever its name is."""
    if not ours.routes or not theirs.routes:
        return "the only route"
    both = [name for name in ours.routes if name in theirs.routes]
    return f"the route {both[0]}" if both else ""


CHECKS: tuple[Check, ...] = (one_release_for_each_service, one_release_for_each_route)
