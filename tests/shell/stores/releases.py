"""Releases whose counters go through a store: written by scrapes, asked for over HTTP by the operator's own client, in its own words."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from bench.failure_modes.modes import Behaviour, FailureMode, Telemetry
from bench.failure_modes.world import AGAIN, NOWHERE, Scraped, play, spec_of
from canary_operator.analysis import promql
from canary_operator.analysis.samples import Answer
from canary_operator.api.spec import CanaryReleaseSpec, Hold, ServiceRef, Step
from canary_operator.clients.prometheus import Prometheus as Client
from canary_operator.release.model import Ask
from canary_operator.sampler import window
from canary_operator.settings import Provider
from canary_operator.simulation.assumed import HISTORY
from canary_operator.simulation.stage import EPOCH
from canary_operator.simulation.traffic import Counter
from tests.shell.stores.server import serving
from tests.shell.stores.stand_in import Labels, Store, Switches

SERVICE, NAMESPACE = "reviews", "shop"
SPEC = CanaryReleaseSpec(
    service=ServiceRef(name=SERVICE),
    version="v2",
    steps=tuple(Step(weight=weight, hold=Hold(min=timedelta(seconds=30), max=timedelta(minutes=3))) for weight in (25,)),
    bake=timedelta(seconds=30),
)
GOOD = (Behaviour("500", share=0.01),)
BAD = (Behaviour("503", share=0.2),)


class Behind(Scraped):
    """A Prometheus whose samples go into a store, and whose answers come from there."""

    def __init__(self, spacing: float, first: float) -> None:
        super().__init__(spacing, first)
        self.through: Through | None = None

    def scrape(self, counters: dict[Counter, int]) -> frozenset[str]:
        """Into the store, proxy by proxy."""
        time = self.due
        targets = super().scrape(counters)
        assert self.through
        for target in sorted(targets):
            read = {self._istio(counter): float(value) for counter, value in counters.items() if counter[0] == target}
            self.through.store.write(time, int(target.endswith(AGAIN)), read)
        if self.through.store.switches.other_cluster:
            self.through.store.write(time, 0, {_staging(SERVICE): float(100 * len(self.scraped))})
        return targets

    def answer(self, ask: Ask, now: float) -> Answer:
        """What the operator's client makes of what the store says."""
        assert self.through
        return self.through.ask(ask, self.spacing, now)

    def _istio(self, counter: Counter) -> Labels:
        """As Istio's proxies name them."""
        told = self._labels(counter)
        told |= {
            "__name__": promql.BUCKETS if counter[3] else promql.REQUESTS,
            "reporter": "source",
            "source_workload": "gateway",
            "destination_service_name": SERVICE,
            "destination_service_namespace": NAMESPACE,
            "destination_workload_namespace": NOWHERE if counter[1] == NOWHERE else NAMESPACE,
            "job": "istio",
        }
        return frozenset(told.items())


def _staging(service: str) -> Labels:
    told = {
        "__name__": promql.REQUESTS,
        "reporter": "source",
        "instance": "gateway-9",
        "cluster": "staging",
        "destination_service_name": service,
        "destination_service_namespace": NAMESPACE,
        "destination_workload": "app-v2",
        "destination_workload_namespace": NAMESPACE,
        "response_code": "503",
        "response_flags": "-",
        "request_protocol": "http",
    }
    return frozenset(told.items())


class Through:
    """A store, and the operator's client before it."""

    def __init__(self, store: Store, matchers: dict[str, str]) -> None:
        self.store, self._matchers, self.now = store, promql.matchers(matchers), EPOCH
        self.client: Client | None = None
        self.threshold: timedelta | None = None
        self.loop = asyncio.new_event_loop()

    def ask(self, ask: Ask, spacing: float, now: float) -> Answer:
        """One question, as `sampler` asks it."""
        self.now = now
        workloads = tuple(sorted({*ask.canary, *ask.stable}))
        subject = promql.Subject("Source", SERVICE, NAMESPACE, workloads, self._matchers)
        text = promql.counters(subject, window(ask.since, spacing, now, HISTORY), self.threshold)
        assert self.client
        return self.loop.run_until_complete(self.client.query("default", text))


@contextmanager
def _asked(through: Through) -> Iterator[None]:
    with serving(lambda text: through.store.query(text, through.now)) as url:
        through.client = Client({"default": Provider(url=url)})
        try:
            yield
        finally:
            through.client.close()
            through.loop.run_until_complete(through.loop.shutdown_default_executor())
            through.loop.close()


@dataclass(frozen=True)
class Ended:
    """How a release went."""

    end: str
    reason: str
    hurt: int
    questions: int


def released(
    switches: Switches,
    *,
    bad: bool,
    scrape: float = 15.0,
    matchers: dict[str, str] | None = None,
    lag: float = 0.3,
    seed: str = "1",
    most: float = 5400.0,
    objective: float | None = None,
) -> Ended:
    """One release of a version that fails 1 % like the old one, or 20 %.

    Args:
        switches: What the store does.
        bad: It fails 20 %.
        scrape: Seconds between two scrapes of a proxy.
        matchers: Of the provider.
        lag: Seconds from a scrape to the question that it gives rise to.
        seed: Of what is left to chance.
        most: Seconds of it at most.
        objective: Seconds after which an answer is slow; None: that is not judged.
    """
    mode = FailureMode(
        "bad" if bad else "good",
        "bad" if bad else "good",
        0.2 if bad else 0.0,
        new=BAD if bad else GOOD,
        old=GOOD,
        objective=objective,
        telemetry=Telemetry(twice=switches.replicas > 1),
    )
    through = Through(Store(switches, EPOCH + HISTORY), matchers or {})

    through.threshold = None if objective is None else timedelta(seconds=objective)

    def made(spacing: float, first: float) -> Behind:
        behind = Behind(spacing, first)
        behind.through = through
        return behind

    with _asked(through):
        result = play(spec_of(mode, given=SPEC), mode, 100.0, scrape, seed, most=most, prometheus=made, lag=lag)
    return Ended(result.end, result.reason, result.hurt, len(through.store.asked))
