"""Kubernetes as `kubectl` reaches it: contexts, logins and proxies are the user's, and nothing of them is ours (docs/adr/0010)."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from canary_operator.api.names import GROUP, PLURAL
from canary_operator.clients.answers import DENIED
from canary_operator.release.refusal import one_line

Document = dict[str, Any]

RELEASES = f"{PLURAL}.{GROUP}"
VIRTUAL_SERVICES = "virtualservices.networking.istio.io"
DESTINATION_RULES = "destinationrules.networking.istio.io"
FIELD_MANAGER = "kubectl-canary"


class KubectlFailed(Exception):
    """kubectl is missing or refused; the message is what it said, in one line."""


class Changed(KubectlFailed):
    """Somebody else changed the object meanwhile: read it again."""


class Missing(KubectlFailed):
    """There is no such object, or no such kind."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Runs `kubectl`, as the user who calls."""

    options: tuple[str, ...] = ()
    """Before every command, such as `--context production`."""

    def get(self, kind: str, namespace: str | None, name: str | None = None, *options: str) -> Document:
        """The object, or the list of all of a namespace; of all namespaces when that is None.

        Args:
            kind: Plural and group, such as `services` or `virtualservices.networking.istio.io`.
            namespace: None: all.
            name: None: the list.
            *options: More of kubectl's own, such as `--selector=app=reviews`.

        Raises:
            Missing: There is none, or the cluster does not know the kind.
            KubectlFailed: Anything else.
        """
        place = ["--all-namespaces"] if namespace is None else ["--namespace", namespace]
        return self._json("get", kind, *([name] if name else []), *place, *options, "--output=json")

    def items(self, kind: str, namespace: str | None, *options: str) -> list[Document]:
        """All objects of a kind; none when the cluster does not know the kind."""
        try:
            return list(self.get(kind, namespace, None, *options)["items"])
        except Missing:
            return []

    def patch(self, kind: str, namespace: str, name: str, change: Mapping[str, Any], *, subresource: str | None = None) -> Document:
        """Merges a change into the object, or into a subresource such as `status`; one with a resourceVersion applies to that version only.

        Raises:
            Changed: It has another version by now.
            KubectlFailed: Anything else.
        """
        return self._json(
            *("patch", kind, name, "--namespace", namespace, "--type=merge", f"--field-manager={FIELD_MANAGER}"),
            *("--patch", json.dumps(change), "--output=json"),
            *([f"--subresource={subresource}"] if subresource else []),
        )

    def create(self, document: Mapping[str, Any]) -> Document:
        """Creates the object.

        Raises:
            Changed: There is one of its name by now.
            KubectlFailed: Anything else.
        """
        arguments = ("create", f"--field-manager={FIELD_MANAGER}", "--output=json", "--filename=-")
        created: Document = json.loads(self._run(*arguments, given=json.dumps(document)))
        return created

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Deletes the object; one that is gone already is fine."""
        self._run("delete", kind, name, "--namespace", namespace, "--ignore-not-found", "--wait=false")

    def namespace(self) -> str:
        """The namespace of the user's context."""
        return self._run("config", "view", "--minify", "--output=jsonpath={..namespace}").strip() or "default"

    def _json(self, *arguments: str) -> Document:
        document: Document = json.loads(self._run(*arguments))
        return document

    def _run(self, *arguments: str, given: str | None = None) -> str:
        command = ["kubectl", *self.options, *arguments]
        try:
            done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)  # noqa: S603
        except FileNotFoundError as error:
            raise KubectlFailed("kubectl is not in your PATH; it is what reaches the cluster: kubernetes.io/docs/tasks/tools") from error
        if done.returncode == 0:
            return done.stdout
        said = one_line(done.stderr)
        if DENIED.search(said):  # in whatever words and by whatever code it says so: neither is the object missing, nor has it changed
            raise KubectlFailed(said)
        if "(NotFound)" in said or "the server doesn't have a resource type" in said:
            raise Missing(said)
        raise Changed(said) if any(word in said for word in ("(Conflict)", "(AlreadyExists)", "has been modified")) else KubectlFailed(said)
