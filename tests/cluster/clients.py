"""What the cluster tests speak with: the CanaryReleases of one namespace, and kubectl."""

from dataclasses import dataclass
from typing import Any

from canary_operator.api import names
from lab import Cluster
from lab.api import Api

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Releases:
    """The CanaryReleases of one namespace, as an administrator writes them: nothing is added and strictly read."""

    api: Api
    namespace: str

    @property
    def path(self) -> str:
        return f"/apis/{names.API_VERSION}/namespaces/{self.namespace}/{names.PLURAL}"

    def document(self, spec: object, name: str = "reviews") -> Document:
        return {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": {"name": name, "namespace": self.namespace}, "spec": spec}

    def create(self, spec: object, name: str = "reviews", *, dry_run: bool = False) -> Document:
        query = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
        return self.api.request("POST", self.path, self.document(spec, name), query=query)

    def get(self, name: str = "reviews") -> Document:
        return self.api.get(f"{self.path}/{name}")

    def patch(self, change: Document, name: str = "reviews") -> Document:
        return self.api.patch(f"{self.path}/{name}", change)

    def patch_status(self, change: Document, name: str = "reviews") -> Document:
        return self.api.patch(f"{self.path}/{name}/status", change)


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl as an administrator."""

    cluster: Cluster

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """What it prints; it must succeed, and without a warning."""
        done = self.cluster.kubectl(*arguments, stdin=stdin)
        assert not done.stderr
        return done.stdout

    def complaint(self, *arguments: str, stdin: str | None = None) -> str:
        """What it prints on standard error; it must fail."""
        done = self.cluster.kubectl(*arguments, stdin=stdin, check=False)
        assert done.returncode, f"kubectl did it: {done.stdout}"
        return done.stderr
