"""A cluster, a stand-in for Prometheus, and benches side by side, each for one story at a time."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from canary_operator.release.reading import SERVICE_SETTLES
from lab import Cluster, charts
from lab.addresses import API_SERVER
from lab.operator import ACCOUNT, NAMESPACE, install
from lab.revisions import Revision
from lab.waiting import until
from tests.faults.background import Background
from tests.faults.bench import Bench
from tests.faults.mirror import COLLECTIONS, Mirror
from tests.faults.plans import Fault
from tests.faults.prometheus import StubPrometheus
from tests.faults.proxy import UNCOUNTED, Proxy, Trouble
from tests.faults.zygote import Operator, Zygote

NEEDED = (
    "virtualservices.networking.istio.io",
    "destinationrules.networking.istio.io",
    "gateways.networking.istio.io",
    "sidecars.networking.istio.io",
    "peerauthentications.security.istio.io",
)
CONFIGURATION = """
leaderElection: false
probe: ":0"
metrics: ":0"
log: text
"""


class Life:
    """An operator behind a proxy of its own: started, killed at the chosen writes, and started again."""

    def __init__(self, rig: "Rig", bench: Bench, name: str, lease: str) -> None:
        self.identity = f"{bench.namespace}-{name}"
        self._background = rig.background
        self.proxy = Proxy(API_SERVER, rig.cluster.api_server.authority, self._crash, rig.uncounted)
        address = rig.background.run(self.proxy.start())
        self.kubeconfig = rig.cluster.directory / f"{bench.namespace}-{name}.kubeconfig"
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(rig.credentials.replace(API_SERVER, address))
        config = rig.config
        if lease:
            config = rig.cluster.directory / f"{bench.namespace}-{name}.yaml"
            config.write_text(f"{CONFIGURATION}leaderElection: {{lease: {lease}}}\n")
        self.log = rig.cluster.directory / f"{bench.namespace}-{name}.log"
        self.log.write_text("")
        self._start = partial(
            rig.zygote.start,
            self.log,
            config=str(config),
            kubeconfig=str(self.kubeconfig),
            identity=self.identity,
            namespace=bench.namespace,
            prometheus=rig.prometheus.address_of(bench),
        )
        self.operator: Operator = self._start()

    @property
    def ended(self) -> bool:
        """The operator ended by itself."""
        operator = self.operator
        return not operator.alive and not self.proxy.restarting and operator is self.operator

    def arm(self, *faults: Fault) -> None:
        """Numbers the writes from now on, and lets these faults strike."""
        self._background.run(self.proxy.arm(faults))

    def hold(self, plural: str, *, replies: bool = False) -> None:
        """Writes to this kind, or the replies to them, are on their way until `let_go`."""
        self._background.run(self.proxy.hold(plural, replies=replies))

    def meddle(self, trouble: Trouble | None) -> None:
        """Lets somebody else answer this operator from now on."""
        self._background.run(self.proxy.meddle(trouble))

    def let_go(self) -> None:
        """What is on its way arrives."""
        self._background.run(self.proxy.let_go())

    def close(self) -> None:
        """Kills the operator."""
        self._background.run(self.proxy.stop())
        self.operator.close()

    def _crash(self) -> "partial[None]":
        """SIGKILL at once; answers what starts the next one."""
        self.operator.kill()
        return partial(self._again, self.operator)

    def _again(self, dead: Operator) -> None:
        dead.close()
        self.operator = self._start()


class Rig:
    """Comes up when entered.

    Args:
        benches: How many stories run side by side.
        uncounted: Plurals to which writes are neither numbered nor struck.
    """

    def __init__(self, benches: int = 4, uncounted: frozenset[str] = UNCOUNTED) -> None:
        self.size = benches
        self.uncounted = uncounted
        self.cluster = Cluster()
        self._free: SimpleQueue[Bench] = SimpleQueue()

    def __enter__(self) -> Self:
        self.cluster.start()
        crds, _ = charts.load()
        self.cluster.install([crd for crd in crds if crd["metadata"]["name"] in NEEDED])
        install(self.cluster)
        self.credentials = self.cluster.service_account_kubeconfig(NAMESPACE, ACCOUNT).read_text()
        self.config = self.cluster.directory / "operator.yaml"
        self.config.write_text(CONFIGURATION)
        self.zygote = Zygote()
        self.background = Background()
        self.mirror = Mirror(self.cluster.api)
        self.record = self.cluster.revisions(*COLLECTIONS)
        self.prometheus = StubPrometheus(self.mirror)
        self.background.run(self.prometheus.start())
        with ThreadPoolExecutor(self.size) as threads:
            list(threads.map(self._furnish, range(1, self.size + 1)))
        # What is counted for a Service that was made a moment ago is left out, and every story would tell so, or not.
        old = time.time() + SERVICE_SETTLES.total_seconds()
        until(lambda: time.time() > old, "the services are no longer new", 15)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.zygote.close()
        self.background.run(self.prometheus.stop())
        self.background.close()
        self.cluster.close()

    @contextmanager
    def bench(self, service: str = "reviews", failing: Mapping[str, float] | None = None, *, forgetful: bool = False) -> Iterator[Bench]:
        """A bench for one story, cleared, with traffic on v1.

        Args:
            service: Whose story it is.
            failing: Share of failed requests per version, 0 to 1.
            forgetful: Once traffic has left the failing versions, Prometheus remembers nothing of it.
        """
        bench = self._free.get()
        try:
            bench.service = service
            bench.clear()
            bench.since = self.record.all[-1].number if self.record.all else 0
            self.background.run(self.prometheus.open(bench, "v1", failing or {}, forgetful=forgetful))
            yield bench
        finally:
            self._free.put(bench)

    @contextmanager
    def operator(self, bench: Bench, name: str = "operator", lease: str = "") -> Iterator[Life]:
        """An operator for this bench; with a lease, of this duration, it works only while it holds it."""
        life = Life(self, bench, name, lease)
        try:
            yield life
        finally:
            life.close()

    @contextmanager
    def staffed(self, source: Path) -> Iterator["Rig"]:
        """The same rig with operators of another source root."""
        other = copy(self)
        other.zygote = Zygote(source)
        try:
            yield other
        finally:
            other.zygote.close()

    def revisions(self, bench: Bench) -> Sequence[Revision]:
        """All revisions of the present story of a bench."""
        for found in bench.objects:
            self.record.wait_for(found)
        return [each for each in self.record.all if each.number > bench.since and each.object["metadata"]["namespace"] == bench.namespace]

    def _furnish(self, number: int) -> None:
        bench = Bench(self.cluster, self.mirror, f"bench-{number}")
        bench.furnish()
        self._free.put(bench)
