"""The stage: objects, pods, mesh, Prometheus, and what people and clusters do to them. Knows neither the operator nor how time passes."""

from collections.abc import Mapping
from dataclasses import replace

from canary_operator.analysis.samples import NoData
from canary_operator.analysis.value import Value
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.api.status import State
from canary_operator.release.model import Because, Serving
from canary_operator.simulation.draws import Draw, expected
from canary_operator.simulation.objects import CLUSTER, PERSON, Cluster, Resource, Route, Subsets
from canary_operator.simulation.prometheus import Mode, Prometheus
from canary_operator.simulation.questions import Answers
from canary_operator.simulation.traffic import Failing, Obeying, Traffic, steadily

EPOCH = 1_763_847_000.0
"""When every world begins, Unix seconds."""


def workload(version: str) -> str:
    """The name of the Deployment of a version."""
    return f"app-{version}"


class Stage:
    """One CanaryRelease and everything around it, at one instant.

    Args:
        spec: The wish it begins with.
        rate: Requests per second.
        spacing: Seconds between two scrapes.
        draw: What is left to chance; expected values when left out.
        targets: Number of proxies that count.
        attached: The canary's weight in the user's own route, to which the release is attached, percent; None: the operator owns the route.
        gateway: Requests come through a gateway, so that the operator's route is never to go.
    """

    def __init__(  # noqa: PLR0913 (what makes a stage, each by its name)
        self,
        spec: CanaryReleaseSpec,
        *,
        rate: float,
        spacing: float,
        draw: Draw | None,
        targets: int,
        attached: int | None,
        gateway: bool,
    ) -> None:
        self.cluster = Cluster(EPOCH, attached=attached is not None, gateway=gateway)
        self.traffic = Traffic(draw or expected(), rate, tuple(f"gateway-{number}" for number in range(targets)))
        self.prometheus = Prometheus(spacing, EPOCH + spacing / 2)
        self.values: dict[str, Answers] = {}
        """What queries of the user's own answer, by name; one that is missing answers a good value."""
        self.dirty = True
        """Something has changed that the operator has not looked at yet."""
        self._behind: dict[str, Serving] | None = None
        """What would serve, were the Service there; None: it is."""
        self.cluster.put(PERSON, "resource", Resource(spec))
        if attached is not None:
            self.cluster.put(PERSON, "route", Route(attached, owned=False))

    # ----------------------------------------------------------------------------------------------------- what people and pods do

    def _put(self, by: str, what: str, value: object) -> None:
        self.cluster.put(by, what, value)
        self.dirty = True

    @property
    def _serving(self) -> Mapping[str, Serving]:
        return (self.cluster.now.versions or {}) if self._behind is None else self._behind

    def _serve(self, versions: dict[str, Serving]) -> None:
        if self._behind is None:
            self._put(CLUSTER, "versions", versions)
        else:
            self._behind = versions

    def deploy(self, version: str, *, pods: int = 4, template: int = 1, fails: float | Failing = 0.0) -> None:
        """Pods of a version, all ready; another template is another revision of it."""
        revision = f"{version}@t{template}"
        self.fail(revision, fails)
        serving = Serving(version, revision, (workload(version),), pods, pods)
        self._serve({**self._serving, version: serving})

    def fail(self, revision: str, fails: float | Failing) -> None:
        """From now on this share of the requests of a revision fails."""
        self.traffic.failing[revision] = fails if callable(fails) else steadily(fails)

    def obey(self, obeying: Obeying) -> None:
        """From now on the proxies give the canary this share where the route says that one."""
        self.traffic.obeying = obeying
        self.traffic.forget()

    def scale(self, version: str, ready: int, desired: int | None = None) -> None:
        """So many pods of a version are ready, all of its newest template; `desired` (as many when left out) are asked for."""
        known = self._serving[version]
        wanted = max(ready, known.desired) if desired is None else desired
        leaving = ready > 0 and not wanted
        self._serve({**self._serving, version: replace(known, ready=ready, desired=wanted, old=0, leaving=leaving)})

    def roll(self, version: str, old: int) -> None:
        """So many pods of an older template of a version serve beside those of its newest."""
        self._serve({**self._serving, version: replace(self._serving[version], old=old)})

    def replaces(self, version: str, other: str | None) -> None:
        """The Deployment of a version carries another version label from now on; None: its own again."""
        self._serve({**self._serving, version: replace(self._serving[version], replaced_by=other)})

    def undeploy(self, version: str) -> None:
        """The version is gone, workload and all."""
        self._serve({name: each for name, each in self._serving.items() if name != version})

    def lose_service(self) -> None:
        """Somebody deletes the Service; the pods stay."""
        if self._behind is None:
            self._behind = dict(self.cluster.now.versions or {})
            self._put(CLUSTER, "versions", None)

    def restore_service(self) -> None:
        """The Service is made again, with the same pods behind it."""
        if self._behind is not None:
            versions, self._behind = self._behind, None
            self._put(CLUSTER, "service_since", self.cluster.time)
            self._put(CLUSTER, "versions", versions)

    def edit(self, **changes: object) -> None:
        """A person changes fields of the spec."""
        if (resource := self.cluster.now.resource) is not None and not resource.deleting:
            spec = replace(resource.spec, **changes)  # type: ignore[arg-type]
            self._put(PERSON, "resource", replace(resource, spec=spec, generation=resource.generation + 1))

    def act(self, action: str) -> None:
        """A person writes the action annotation."""
        if (resource := self.cluster.now.resource) is not None:
            self._put(PERSON, "resource", replace(resource, action=action))

    def delete(self) -> None:
        """A person deletes the CanaryRelease."""
        if (resource := self.cluster.now.resource) is not None:
            self._put(PERSON, "resource", replace(resource, deleting=True) if resource.finalizer else None)

    def drift(self, *, route: Route | None | str = "", subsets: Subsets | None | str = "") -> None:
        """A person writes the route or the subsets, with kubectl; None deletes."""
        for what, value in (("route", route), ("subsets", subsets)):
            if not isinstance(value, str):
                self._put(PERSON, what, value and replace(value, touched_by="kubectl"))

    def find(self, *findings: Because) -> None:
        """Preflight finds this, and nothing else."""
        self._put(CLUSTER, "findings", findings)

    def prometheus_is(self, mode: Mode) -> None:
        """Prometheus does like this from now on."""
        self.prometheus.mode = mode

    def measures(self, name: str, value: float | None) -> None:
        """From now on this query of the user's own answers this value; None: it matches no series."""
        self.values[name] = lambda now: NoData("no series match it") if value is None else Value(now, value)

    # ---------------------------------------------------------------------------------------------------------------- questions

    @property
    def weight(self) -> int:
        """The canary's weight in the route, percent."""
        return self.cluster.now.route.weight if self.cluster.now.route else 0

    @property
    def state(self) -> State | None:
        """Where the recorded machine stands; None: no resource."""
        resource = self.cluster.now.resource
        return resource.record.state if resource else None

    @property
    def phase(self) -> str | None:
        """The printed word; None: no status."""
        resource = self.cluster.now.resource
        return resource.status.phase if resource and resource.status else None
