"""What good releases cost: requests lost to routing, API requests. Writes build/bench/releases.json. What bad ones cost: `bench.trials`.

python -m lab isolated -- python -m bench.releases
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from lab import Lab, Load
from lab.operator import AGENT, Operator
from lab.waiting import until
from lab.workloads import Service

NAME, NAMESPACE = "reviews", "shop"
PATH = f"/apis/canary.rollouts.dev/v1beta1/namespaces/{NAMESPACE}/canaryreleases/{NAME}"
MERGE = "application/merge-patch+json"
QUICK = {
    "steps": [{"weight": weight, "hold": {"min": "2s", "max": "20s"}} for weight in (5, 10, 25, 50)],
    "bake": "3s",
    "drain": "2s",
    "settle": "1s",
}
OUT = Path("build/bench/releases.json")


class Bench:
    """One lab, one operator, one service."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.operator = Operator(lab, lab.prometheus_url)
        self.operator.start()
        self.operator.wait_ready()
        lab.namespace(NAMESPACE)
        self.service: Service = lab.service(NAME, NAMESPACE)
        self.generation = 0
        self.figures: dict[str, Any] = {}

    def deploy(self, **behaviour: Any) -> str:
        """The next version, ready."""
        self.generation += 1
        version = f"v{self.generation}"
        self.lab.wait_ready(self.lab.workload(self.service, version, replicas=2, **behaviour))
        return version

    def apply(self, version: str, spec: dict[str, Any]) -> None:
        """The CanaryRelease, and waits until the route is taken over."""
        owned = {"owned": {"gateways": ["infra/public", "mesh"], "hosts": ["reviews.example.com"]}}
        document = {
            "apiVersion": "canary.rollouts.dev/v1beta1",
            "kind": "CanaryRelease",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {"service": {"name": NAME}, "version": version, "traffic": owned, **spec},
        }
        self.lab.api.apply(document)
        until(lambda: self.status.get("phase") in ("Stable", "RolledBack"), "adopted", 60)

    @property
    def status(self) -> dict[str, Any]:
        """Of the CanaryRelease."""
        return (self.lab.api.find(PATH) or {}).get("status") or {}

    def want(self, version: str) -> int:
        """Starts a release; its number."""
        number = self.status["release"]["number"] + 1
        self.lab.api.patch(PATH, {"spec": {"version": version}}, MERGE)
        return int(number)

    def ended(self, number: int, seconds: float = 300) -> dict[str, Any]:
        """The record of a release, once it is there."""
        until(
            lambda: (self.status.get("lastRelease") or {}).get("number") == number,
            f"release {number}: {self.status.get('message')}",
            seconds,
        )
        return dict(self.status["lastRelease"])

    def load(self, rate: float) -> Load:
        """Traffic through gateway and mesh client that is answered."""
        load = self.lab.load(self.service, rate=rate)
        until(lambda: any(version != "-" for version in load.report.versions), "served", 30)
        return load

    def requests(self, since: float) -> dict[str, int]:
        """The operator's API requests since then; watches, lists and its lease aside: none of them is for the sake of a CanaryRelease."""
        found = [
            each
            for each in self.lab.audit.requests(user_agent=AGENT, since=since)
            if each.verb not in ("watch", "list") and each.resource != "leases"
        ]
        status = [each for each in found if each.subresource == "status"]
        events = [each for each in found if each.resource == "events"]
        return {"all": len(found), "status": len(status), "events": len(events), "other": len(found) - len(status) - len(events)}

    def note(self, name: str, value: Any) -> None:
        """Keeps a figure, prints it, and writes the file anew: what was measured stays when a later part fails."""
        self.figures[name] = value
        print(f"{name}: {json.dumps(value)}", flush=True)
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(json.dumps(self.figures, indent=1) + "\n")


def good(bench: Bench, releases: int) -> None:
    """Good releases in a row under 200 requests a second."""
    bench.apply(bench.deploy(), QUICK)
    load = bench.load(200)
    rows = []
    for _ in range(releases):
        version, since = bench.deploy(), time.time()
        past = bench.ended(bench.want(version))
        rows.append({"outcome": past["outcome"], "seconds": round(time.time() - since, 1), "api": bench.requests(since)})
    report = load.stop()
    bench.note(
        "good", {"releases": rows, "answers": report.answered, "lost": report.lost, "timeouts": report.timeouts, "failed": report.failed()}
    )


def idle(bench: Bench, seconds: float) -> None:
    """What an idle operator asks, and holds."""
    since = time.time()
    until(lambda: time.time() - since > seconds, "the time is over", seconds + 10)
    pages = int(Path(f"/proc/{bench.operator.pid}/statm").read_text().split()[1])
    bench.note("idle", {"seconds": seconds, "requests": bench.requests(since), "rss_mib": round(pages * 4096 / 2**20, 1)})


def main(arguments: list[str]) -> int:
    """Everything, or the parts that are named."""
    wanted = arguments or ["good", "idle"]
    with Lab(scrape="5s") as lab:
        bench = Bench(lab)
        if "good" in wanted:
            good(bench, 10)
        else:
            bench.apply(bench.deploy(), QUICK)
        if "idle" in wanted:
            idle(bench, 180)
        bench.operator.terminate()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
