"""How a service is taken over before a release. The same in all plays of a release, since nothing of it is left to chance: it is worked out once."""

from dataclasses import dataclass, replace
from functools import partial

from canary_operator.analysis.remembering import remembered
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.simulation.assumed import HISTORY
from canary_operator.simulation.objects import Stored, Subsets
from canary_operator.simulation.process import Process
from canary_operator.simulation.world import World

RECENT = 8
"""Releases whose adoption is remembered."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was written, and the operator that wrote it."""

    revisions: tuple[Stored, ...]
    """Oldest first; the first is of the time at which the world begins."""
    process: Process
    """As it stands when all is taken over; to be copied, not used."""

    def replay(self, world: World) -> None:
        """Lets it happen in another world that begins now, and leaves the operator there."""
        first = [each for each in self.revisions if each.time <= world.cluster.time]
        world.cluster.log[:], world.cluster.now, world.dirty = first, first[-1], False
        for each in self.revisions[len(first) :]:
            world.at(each.time - self.revisions[0].time, partial(_put, each))
        world.process = self.process.copy()


def _put(revision: Stored, world: World) -> None:
    world.cluster.log.append(revision)
    world.cluster.now = revision


@remembered(RECENT)
def adoption(spec: CanaryReleaseSpec, version: str) -> Adoption:
    """How the service of a release is taken over.

    Args:
        spec: Of the release.
        version: The one that serves.
    """
    attached = 0 if spec.traffic is not None and spec.traffic.attach is not None else None
    # Nobody asks for anything, and nothing is scraped: at rest the operator asks Prometheus nothing.
    world = World(replace(spec, version=version, suspend=False), rate=0.0, spacing=4 * HISTORY, attached=attached)
    world.deploy(version)
    if attached is not None:
        world.drift(subsets=Subsets(version, version))
    world.run(HISTORY)
    return Adoption(tuple(world.cluster.log), world.process or Process(world.cluster.time))
