"""The whole lab: a cluster with istiod, a gateway, mesh clients, Prometheus, and traffic."""

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from lab import charts, mesh
from lab.addresses import GATEWAY_PORT
from lab.cluster import Cluster
from lab.installing import wait_for_crds
from lab.load import Load, Target
from lab.part import Part
from lab.parts.envoy import Gateway, MeshClient
from lab.parts.istiod import NAMESPACE as ISTIO_NAMESPACE
from lab.parts.istiod import Istiod
from lab.parts.prometheus import Prometheus
from lab.waiting import until
from lab.workloads import Service

CLIENT_NAMESPACE = "clients"
THREADS = 8


class Lab(Cluster):
    """Comes up when entered and is gone when left."""

    injects = True

    def __init__(
        self,
        directory: Path | None = None,
        *,
        scrape: str = "5s",
        client_ports: Sequence[int] = (9080,),
        destination_reporter: bool = False,
        domain: str = "cluster.local",
    ) -> None:
        """The lab, not started yet.

        Args:
            directory: Where its files go; a temporary one otherwise.
            scrape: Prometheus' scrape interval.
            client_ports: The service ports on which the default mesh client listens.
            destination_reporter: Every counter a second time with reporter="destination".
            domain: The cluster's, in the full names of Services.
        """
        super().__init__(directory)
        self.domain = domain
        self.istiod = Istiod(self.directory, self.api, domain)
        self.gateway = Gateway(self.directory)
        self.prometheus = Prometheus(self.directory, scrape, destination_reporter=destination_reporter)
        self.mesh_clients: dict[str, MeshClient] = {}
        self._client_ports = client_ports
        self._loads: list[Load] = []

    @classmethod
    def cluster_only(cls, directory: Path | None = None) -> Cluster:
        """etcd, API server, controllers and kubelet stand-in, without a mesh: up in a third of the time."""
        return Cluster(directory)

    @property
    def parts(self) -> dict[str, Part]:
        """All parts by name."""
        mesh_parts: list[Part] = [self.istiod, self.gateway, *self.mesh_clients.values(), self.prometheus]
        return super().parts | {part.name: part for part in mesh_parts}

    @property
    def prometheus_url(self) -> str:
        """Where to ask Prometheus."""
        return self.prometheus.url

    def close(self) -> None:
        """Ends everything, traffic first."""
        for load in self._loads:
            load.kill()
        super().close()

    def mesh_client(self, namespace: str = CLIENT_NAMESPACE, ports: Sequence[int] = (9080,)) -> MeshClient:
        """The caller's proxy in this namespace, started if there is none; listens on these service ports besides those it has.

        The namespace matters: DestinationRules of the caller's own namespace come before those of the service's.
        """
        client = self.mesh_clients.get(namespace)
        if not client:
            client = self.mesh_clients[namespace] = MeshClient(self.directory, namespace, len(self.mesh_clients), ports)
            self.api.apply(client.sidecar())
            client.start()
            self.prometheus.scrape(client)
        elif client.open(ports):
            self.api.apply(client.sidecar())
        client.wait_ready()
        # A port on which no Service is left has no listener any more: only those that are asked for are waited for.
        until(lambda: client.listens(ports), f"{client.name} listens on {sorted(ports)}")
        return client

    def load(
        self,
        *services: Service,
        rate: float,
        through: Iterable[str] = ("gateway", "mesh"),
        timeout: float = 5.0,
        headers: Mapping[str, str] | None = None,
        host: str | None = None,
        request_path: str = "/",
        protocol: str = "http",
        client_namespace: str = CLIENT_NAMESPACE,
    ) -> Load:
        """Starts requests to these services at a constant rate.

        Args:
            services: Asked in turn.
            rate: Requests per second, over all services and ways together.
            through: "gateway" (needs a VirtualService bound to `infra/public`), "mesh", or both in turn.
            timeout: Seconds until a request counts as timed out.
            headers: More request headers.
            host: Another Host header than the service's name, e.g. the public one.
            request_path: The path asked for.
            protocol: "http" or "grpc".
            client_namespace: Whose mesh client is used.
        """
        ways = tuple(through)
        client = self.mesh_client(client_namespace, sorted({service.port for service in services})) if "mesh" in ways else None
        targets = [
            Target(
                path=way,
                service=f"{service.name}.{service.namespace}",
                address=client.address if client and way == "mesh" else self.gateway.address,
                port=service.port if way == "mesh" else GATEWAY_PORT,
                host=host or service.host,
                request_path=request_path,
                headers=dict(headers or {}),
                protocol=protocol,
            )
            for service in services
            for way in ways
        ]
        load = Load(targets, rate, timeout=timeout)
        self._loads.append(load)
        return load

    def wait_served(
        self, service: Service, *versions: str, through: Iterable[str] = ("gateway", "mesh"), host: str | None = None, seconds: float = 30
    ) -> None:
        """Blocks until each way answers with each of these versions, and with nothing that a proxy made up, for a whole second.

        A route or an endpoint that is in the API is not yet in the proxies: counts that shall be exact begin after this.
        """
        ways = tuple(through)
        wanted = {(way, version) for way in ways for version in versions}
        with self.load(service, rate=50, through=ways, host=host) as load:
            until(lambda: load.report.served_last_second(wanted), f"{service.name} {', '.join(versions)} served through {ways}", seconds)

    def query(self, promql: str, time: float | None = None) -> list[dict[str, Any]]:
        """An instant query's result vector."""
        parameters = {"query": promql} | ({} if time is None else {"time": str(time)})
        with urlopen(f"{self.prometheus_url}/api/v1/query?{urlencode(parameters)}", timeout=10) as answer:
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return result

    def _bring_up(self) -> None:
        client = self.mesh_clients[CLIENT_NAMESPACE] = MeshClient(self.directory, CLIENT_NAMESPACE, 0, self._client_ports)
        self.prometheus.scrape(self.gateway, client)
        self.prometheus.start()
        super()._bring_up()

    def _bring_up_mesh(self) -> None:
        """CRDs before istiod, so that its informers start once; webhooks last, so that nothing waits for an istiod that is not up yet."""
        crds, webhooks = charts.load()
        client = self.mesh_clients[CLIENT_NAMESPACE]
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(self._namespace, (ISTIO_NAMESPACE, Gateway.namespace, CLIENT_NAMESPACE)))
            list(threads.map(self.api.create, crds))
            wait_for_crds(self.api, crds)
            list(threads.map(self.api.create, (mesh.METRICS, mesh.PUBLIC_GATEWAY, mesh.GATEWAY_POD, client.sidecar())))
            list(threads.map(self.api.create, webhooks))
        self.istiod.start()
        self.istiod.wait_ready()
        for proxy in (self.gateway, client):
            proxy.start()
        for part in (self.gateway, client, self.prometheus):
            part.wait_ready()

    def _namespace(self, name: str) -> None:
        self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
