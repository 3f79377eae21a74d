"""Many CanaryReleases: what the operator needs to adopt them, at rest, for a decision, at a restart and at a takeover. Writes build/bench/scale.json.

python -m lab isolated -- python -m bench.scale [--releases 300] [--namespaces 1] [--rest 30] [--moving 40] [--scrape 15] [--replicas 2]

A real API server and etcd without controllers: Services, ReplicaSets (eleven a release, of which two have replicas), EndpointSlices and foreign
VirtualServices (two a release) are written by hand, and stand still. Prometheus is a stand-in in which requests are shared as the routes say, and
well answered, or the half of the canary's fails. Nothing is asserted but that everything ends: figures are read by a person, with the load of
the machine.
"""

import argparse
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.request import urlopen

from bench.crowd import Crowd
from bench.watched import Watched
from lab import Cluster, charts
from lab.operator import METRICS_PORT, USER, Operator
from lab.waiting import until
from tests.api.conftest import NEEDED
from tests.api.prometheus import Prometheus

OUT = Path("build/bench/scale.json")
SECOND_OFFSET = 100
TICKS = os.sysconf("SC_CLK_TCK")


class Profiled(Operator):
    """Where its processor time goes is written to build/bench, one report for each step of the bench."""

    def command(self) -> Sequence[str | Path]:
        """As a user would start it, under the sampler."""
        interpreter, option, *rest = super().command()
        rest = [*rest, "--verbose"]
        return [interpreter, option, "bench.profiled", OUT.with_name(f"{self.name}.profile").resolve(), *rest]

    def report(self) -> None:
        """Writes what was seen so far, and begins anew."""
        if self.alive and self.pid:
            os.kill(self.pid, signal.SIGUSR1)


class Replica:
    """One process of the operator, and what it uses."""

    def __init__(self, cluster: Cluster, prometheus: Prometheus, number: int, profile: bool) -> None:
        self.port = METRICS_PORT + number * SECOND_OFFSET
        name = f"canary-operator-{number}"
        offset = number * SECOND_OFFSET
        self.part = (
            Profiled(cluster, prometheus.url, name=name, offset=offset)
            if profile
            else Operator(cluster, prometheus.url, name=name, offset=offset)
        )

    def begin(self) -> float:
        """Starts it; answers the seconds until it is ready."""
        began = time.monotonic()
        self.part.start()
        self.part.wait_ready()
        return time.monotonic() - began

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.part.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self) -> dict[str, float]:
        """MiB in use now, and at most so far."""
        lines = (line.split() for line in Path(f"/proc/{self.part.pid}/status").read_text().splitlines())
        found = {words[0]: int(words[1]) / 1024 for words in lines if words[0] in ("VmRSS:", "VmHWM:")}
        return {"now": round(found["VmRSS:"], 1), "most": round(found["VmHWM:"], 1)}

    def figure(self, name: str) -> float:
        """The sum of a metric over its labels."""
        with urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


class Bench:
    """One run."""

    def __init__(self, cluster: Cluster, watched: Watched, prometheus: Prometheus, asked: argparse.Namespace) -> None:
        self.cluster, self.watched, self.prometheus, self.asked = cluster, watched, prometheus, asked
        self.crowd = Crowd(cluster, asked.releases, asked.namespaces)
        self.replicas = [Replica(cluster, prometheus, number, asked.profile) for number in range(asked.replicas)]
        self.figures: dict[str, Any] = {"releases": asked.releases, "namespaces": asked.namespaces, "replicas": asked.replicas}

    def run(self) -> None:
        """All of it, in order."""
        self.crowd.open()
        self.cluster.controller_manager.kill()  # it would make pods, and take away ReplicaSets that no Deployment owns
        self.cluster.kubelet.kill()  # it would start a program for each pod
        self.tell("objects written, s", self.timed(self.crowd.write))
        self.tell("a loop of 100,000 additions, ms of processor time: fastest, median", speed())
        moving = self.crowd.names[: self.asked.moving]
        for step in (
            self.start,
            self.adopt,
            self.rest,
            lambda: self.move(moving),
            lambda: self.abort(moving[: len(moving) // 2]),
            lambda: self.turn_bad(moving[len(moving) // 2 :][:20]),
            self.restart,
        ):
            step()
            for replica in self.replicas:
                if isinstance(replica.part, Profiled):
                    replica.part.report()

    def start(self) -> None:
        """The lists of all objects, without a CanaryRelease."""
        self.tell("ready, s", [round(replica.begin(), 1) for replica in self.replicas])
        self.tell("processor time for it, s", [round(replica.cpu(), 1) for replica in self.replicas])
        self.tell("memory at the start, MiB", [replica.memory() for replica in self.replicas], "200")

    def adopt(self) -> None:
        """All CanaryReleases at once, until all are at rest."""
        before, passes = self.leader.cpu(), self.passes()
        seconds = self.timed(self.crowd.release, lambda: self.phases({"Stable"}, self.crowd.names))
        self.tell("adopted, s", seconds, "120 for 1,000")
        self.tell("processor time for it, s", round(self.leader.cpu() - before, 1))
        self.tell("passes for it", self.passes() - passes)
        self.tell("memory, MiB", [replica.memory() for replica in self.replicas], "200")

    def rest(self) -> None:
        """Nothing happens."""
        time.sleep(5)
        busy, passes, began = [each.cpu() for each in self.replicas], self.passes(), time.monotonic()
        before = self.requests()
        time.sleep(self.asked.rest)
        seconds = time.monotonic() - began
        shares = [100 * (each.cpu() - cpu) / seconds for each, cpu in zip(self.replicas, busy, strict=True)]
        self.tell("at rest, % of a core", [round(share, 2) for share in shares], "1")
        self.tell("at rest, requests", self.requests() - before, "0")
        self.tell("at rest, passes", self.passes() - passes)

    def move(self, names: list[str]) -> None:
        """These are wanted in their next version, and stay at its first weight."""
        seconds = self.timed(lambda: self.crowd.want("v2", names), lambda: self.weights(20, names, 300))
        self.tell(f"{len(names)} at their first weight, s", seconds)
        busy, spent, passes, began = self.leader.cpu(), self.pass_seconds(), self.passes(), time.monotonic()
        time.sleep(self.asked.rest)
        self.tell(
            f"{len(names)} progressing, % of a core",
            round(100 * (self.leader.cpu() - busy) / (time.monotonic() - began), 1),
            "25 for 100 at scrapes of 15 s, 50 at 5 s",
        )
        many = self.passes() - passes
        self.tell("a pass of them, ms", round(1000 * (self.pass_seconds() - spent) / many, 2) if many else None)

    def abort(self, names: list[str]) -> None:
        """One after the other, from the annotation's write to weight 0 in the API."""
        found = []
        for name in names:
            began = time.monotonic()
            self.crowd.abort(name)
            self.weights(0, [name], 60)
            found.append(time.monotonic() - began)
        self.tell("abort to weight 0, s", {"median": _share(found, 50), "p99": _share(found, 99), "of": len(found)}, "p99 1")

    def turn_bad(self, names: list[str]) -> None:
        """Half of these canaries' requests fail from one moment on."""
        self.prometheus.failing |= {self.crowd.workload(name, "v2") for name in names}
        self.tell(
            f"{len(names)} turn bad at once, all at weight 0, s",
            self.timed(lambda: self.weights(0, names, 300)),
            f"{self.asked.scrape + 1:g}",
        )

    def restart(self) -> None:
        """The leader is killed; another takes over; it comes back."""
        leader, others = self.leader, [each for each in self.replicas if each is not self.leader]
        probe = self.crowd.names[-1]
        leader.part.kill()
        if others:
            self.tell("leader killed, another leads after, s", self.timed(lambda: self.leader))
        self.crowd.want("v2", [probe])
        if others:
            self.tell("from there to the first weight of the next release, s", self.timed(lambda: self.weights(20, [probe], 300)))
        self.tell("started again, ready after, s", round(leader.begin(), 1), "10")
        self.tell("processor time for it, s", round(leader.cpu(), 1))
        self.tell("to the next weight, s", self.timed(lambda: self.weights(20, [probe], 300)))
        self.tell("memory, MiB", [replica.memory() for replica in self.replicas])
        lines = (line for replica in self.replicas for line in replica.part.log.read_text().splitlines())
        self.tell("leading lost", sum("no longer leading" in line for line in lines), "0")

    # ------------------------------------------------------------------------------------------------------------------------ reading

    @property
    def leader(self) -> Replica:
        """The one that works."""
        until(lambda: any(each.figure("canary_operator_leader") for each in self.alive()), "somebody leads", 60)
        return next(each for each in self.alive() if each.figure("canary_operator_leader"))

    def alive(self) -> Iterator[Replica]:
        """Those that run."""
        return (each for each in self.replicas if each.part.alive)

    def passes(self) -> int:
        """So far, of the processes that run."""
        return int(sum(each.figure("canary_operator_pass_duration_seconds_count") for each in self.alive()))

    def pass_seconds(self) -> float:
        """What they took, in seconds."""
        return sum(each.figure("canary_operator_pass_duration_seconds_sum") for each in self.alive())

    def requests(self) -> int:
        """What the operators asked of the API server, but for watches and the Lease."""
        return sum(1 for each in self.cluster.audit.requests(user=USER) if each.verb != "watch" and each.resource != "leases")

    def phases(self, wanted: set[str], names: list[str]) -> None:
        """Waits until these CanaryReleases are in one of these phases."""
        self._wait(lambda each: (each.get("status") or {}).get("phase") in wanted, "CanaryRelease", names, 1800)

    def weights(self, weight: int, names: list[str], seconds: float) -> None:
        """Waits until the routes of these give the canary this weight."""

        def there(each: dict[str, Any]) -> bool:
            shares = [share for http in each["spec"].get("http") or () for share in http.get("route") or ()]
            return any(share["destination"].get("subset") == "canary" and share.get("weight", 0) == weight for share in shares)

        self._wait(there, "VirtualService", names, seconds)

    def _wait(self, holds: Callable[[dict[str, Any]], bool], kind: str, names: list[str], seconds: float) -> None:
        try:
            self.watched.wait(holds, kind, names, seconds)
        except TimeoutError as error:
            print("not done: " + self.crowd.said(error.args[1]), flush=True)
            raise

    def timed(self, *work: Callable[[], object]) -> float:
        """Seconds that these take, one after the other."""
        began = time.monotonic()
        for each in work:
            each()
        return round(time.monotonic() - began, 2)

    def tell(self, name: str, value: object, goal: str = "") -> None:
        """Prints a figure with its goal, and keeps it with the load of the machine."""
        load = round(os.getloadavg()[0], 1)
        self.figures[name] = {"value": value, "goal": goal, "load average": load}
        print(f"{name}: {value}{f'   (goal: {goal})' if goal else ''}   load {load}", flush=True)


def speed() -> list[float]:
    """How fast the machine is now, in milliseconds: what else runs on it makes processor time longer too."""
    found = []
    for _ in range(200):
        began, total = time.process_time(), 0
        for number in range(100_000):
            total += number
        found.append(1000 * (time.process_time() - began))
    return [round(min(found), 1), round(median(found), 1)]


def _share(found: list[float], percent: int) -> float | None:
    return round(quantiles(found, n=100, method="inclusive")[percent - 1], 3) if len(found) > 1 else None


def main() -> None:
    """One run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--releases", type=int, default=300)
    parser.add_argument("--namespaces", type=int, default=1)
    parser.add_argument("--rest", type=float, default=30, help="seconds at rest, and seconds of moving, that are measured")
    parser.add_argument("--moving", type=int, default=40, help="releases that move traffic")
    parser.add_argument("--scrape", type=float, default=15, help="seconds between two samples")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--profile", action="store_true", help="write where the processor time goes, step by step")
    asked = parser.parse_args()
    with Cluster() as cluster:
        crds, _ = charts.load()
        cluster.install([crd for crd in crds if crd["metadata"]["name"] in NEEDED])
        watched = Watched(cluster)
        prometheus = Prometheus(watched.routing)
        prometheus.scrape = asked.scrape
        bench = Bench(cluster, watched, prometheus, asked)
        try:
            bench.run()
        finally:
            OUT.parent.mkdir(parents=True, exist_ok=True)
            OUT.write_text(json.dumps(bench.figures, indent=2) + "\n")
            for replica in bench.replicas:
                replica.part.kill()
                shutil.copy(replica.part.log, OUT.parent)
            prometheus.close()


if __name__ == "__main__":
    main()
