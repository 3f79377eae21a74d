"""The newest document of every routing object and CanaryRelease, from etcd: waiting for something asks nothing of the API server."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

from lab import Cluster
from lab.revisions import Revision, Revisions
from lab.waiting import until

ROUTING = ("/apis/networking.istio.io/v1/virtualservices", "/apis/networking.istio.io/v1/destinationrules")
RELEASES = ("/apis/canary.rollouts.dev/v1beta1/canaryreleases",)


class Watched:
    """What was written last.

    Args:
        cluster: The cluster, up.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.routing = cluster.revisions(*ROUTING)
        """Of all VirtualServices and DestinationRules."""
        self._recorders = (self.routing, cluster.revisions(*RELEASES))
        self._read = [0, 0]
        self._newest: dict[tuple[str, str], Revision] = {}
        self._lock = threading.Lock()

    def newest(self, kind: str, name: str) -> Revision | None:
        """The last write of an object; None: it is not there. Names are those of one crowd, so that no namespace is needed."""
        with self._lock:
            for number, recorder in enumerate(self._recorders):
                self._take(number, recorder)
            return self._newest.get((kind, name))

    def wait(self, holds: Callable[[dict[str, Any]], bool], kind: str, names: Iterable[str], seconds: float) -> None:
        """Blocks until this holds for all of these.

        Raises:
            TimeoutError: It does not in time; its first argument is a message, its second the set of names that are left.
        """
        left = set(names)

        def done() -> bool:
            found = ((name, self.newest(kind, name)) for name in left)
            left.difference_update([name for name, each in found if each is not None and holds(each.object)])
            return not left

        try:
            until(done, f"{kind} as wanted", seconds, every=0.02)
        except TimeoutError as error:
            raise TimeoutError(str(error), left) from error

    def _take(self, number: int, recorder: Revisions) -> None:
        for revision in recorder.after(self._read[number]):
            self._read[number] += 1
            place = (revision.object["kind"], revision.object["metadata"]["name"])
            if place not in self._newest or self._newest[place].number < revision.number:
                self._newest[place] = revision
