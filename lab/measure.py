"""Measures the lab itself: `python -m lab isolated -- python -m lab.measure`. Prints the figures that stand in README.md."""

import os
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from lab.addresses import GATEWAY_PORT
from lab.cluster import Cluster
from lab.laboratory import Lab
from lab.waiting import until
from lab.workloads import Service

STARTS = 5
WEIGHT_WRITES = 20
LOAD_SECONDS = 10
RATE = 300


def main() -> None:
    """Prints one line per figure."""
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the start")
    for kind in (Cluster, Lab):
        print(f"start of {kind.__name__}: {_spread(_starts(kind), 's', 1)}")
    with Lab() as lab:
        lab.namespace("shop")
        service = lab.service("reviews", "shop")
        begun = time.monotonic()
        lab.wait_ready(lab.workload(service, "v1"), lab.workload(service, "v2"))
        print(f"two versions deployed and ready: {time.monotonic() - begun:.2f} s")
        print(f"weight written until served by the gateway: {_spread(_delays(lab, service), 'ms', 0)}")
        with lab.load(service, rate=RATE) as load:
            until(lambda: load.report.answered > RATE, "a second of traffic")
            busy, begun = _cpu_seconds(load.pid), time.monotonic()
            until(lambda: load.report.answered > RATE * (LOAD_SECONDS + 1), "traffic", 60)
            share = (_cpu_seconds(load.pid) - busy) / (time.monotonic() - begun)
            print(f"traffic source at {RATE}/s: {share:.1%} of a core; {load.stop()}")
        resident = {part.name: _resident_mib(part.pid) for part in lab.parts.values()}
        backends = [_resident_mib(record.pid) for workload in ("v1", "v2") for record in lab.workload(service, workload).backends()]
        print(f"resident: {sum(resident.values()) + sum(backends):.0f} MiB; a backend {median(backends):.0f}; {_listing(resident)}")


def _starts(kind: type[Cluster]) -> list[float]:
    found = []
    for _ in range(STARTS):
        with kind() as lab:
            found.append(lab.started_in)
    return found


def _delays(lab: Lab, service: Service) -> list[float]:
    """Milliseconds from the answer of the API server to the gateway's first answer from the other version."""
    versions = ("v1", "v2")
    lab.api.apply(_rule(service, versions), _route(service, versions[0]))
    connection = HTTPConnection(lab.gateway.address, GATEWAY_PORT)
    until(lambda: next(_answers(connection, service)) == versions[0], "first route served")
    found = []
    for number in range(1, WEIGHT_WRITES + 1):
        wanted = versions[number % 2]
        lab.api.apply(_route(service, wanted))
        begun = time.monotonic()
        for version in _answers(connection, service):
            if version == wanted:
                break
        found.append((time.monotonic() - begun) * 1e3)
    connection.close()
    return found


def _answers(connection: HTTPConnection, service: Service) -> Iterator[str]:
    while True:
        connection.request("GET", "/", headers={"Host": service.host})
        response = connection.getresponse()
        response.read()
        yield response.headers.get("x-version", "-")


def _rule(service: Service, versions: tuple[str, ...]) -> dict[str, object]:
    subsets = [{"name": version, "labels": {"version": version}} for version in versions]
    return {**_head(service, "DestinationRule"), "spec": {"host": service.host, "subsets": subsets}}


def _route(service: Service, version: str) -> dict[str, object]:
    destinations = [
        {"destination": {"host": service.host, "subset": name, "port": {"number": service.port}}, "weight": 100 if name == version else 0}
        for name in ("v1", "v2")
    ]
    return {
        **_head(service, "VirtualService"),
        "spec": {"hosts": [service.host], "gateways": ["infra/public", "mesh"], "http": [{"route": destinations}]},
    }


def _head(service: Service, kind: str) -> dict[str, object]:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": kind,
        "metadata": {"name": service.name, "namespace": service.namespace},
    }


def _spread(values: list[float], unit: str, digits: int) -> str:
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), median(values), max(values)))
    return f"{low} / {middle} / {high} {unit} (min / median / max of {len(values)})"


def _listing(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.0f}" for name, value in sorted(figures.items(), key=lambda item: -item[1]))


def _resident_mib(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
