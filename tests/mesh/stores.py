"""Further Prometheus servers beside the lab's own, each of which sees the same requests in another way."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lab import Lab
from lab.addresses import PROMETHEUS_PORT
from lab.parts.federation import Federation
from lab.parts.prometheus import Prometheus

TWICE, FEDERATED, SUMMED = "twice", "federated", "summed"
"""Two scrape jobs read each proxy; counters come by federation; sums of a recording rule come by federation."""
NUMBERS = {TWICE: 1, FEDERATED: 2, SUMMED: 4}
URLS = {name: f"http://127.0.0.1:{PROMETHEUS_PORT + number}" for name, number in NUMBERS.items()}
RULES = {
    f"workload:{name}": f"sum without (instance) ({name})"
    for name in ("istio_requests_total", "istio_request_duration_milliseconds_bucket")
}


@contextmanager
def stores(lab: Lab, scrape: str) -> Iterator[None]:
    """All of them, for a while."""
    proxies = [lab.gateway, *lab.mesh_clients.values()]
    twice = Prometheus(lab.directory, scrape, number=NUMBERS[TWICE], jobs=2)
    ruled = Prometheus(lab.directory, scrape, number=3, rules=RULES)
    for each in (twice, ruled):
        each.scrape(*proxies)
    federated = Federation(lab.directory, scrape, number=NUMBERS[FEDERATED], below=lab.prometheus)
    summed = Federation(lab.directory, scrape, number=NUMBERS[SUMMED], below=ruled, prefix="workload:")
    with ExitStack() as after:
        for part in (twice, ruled, federated, summed):
            part.start()
            after.callback(part.kill)
        for part in (twice, ruled, federated, summed):
            part.wait_ready()
        yield
