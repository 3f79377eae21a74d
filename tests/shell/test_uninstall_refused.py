"""`kubectl canary` when the API server refuses what it writes: the server's words, and nobody else is held up."""

import os
from pathlib import Path
from typing import Any

import pytest

from canary_operator.api.names import ACTION, OWNER
from canary_operator.cli import plugin, uninstall
from canary_operator.cli.kubectl import DESTINATION_RULES, RELEASES, VIRTUAL_SERVICES, Kubectl, KubectlFailed
from canary_operator.cli.leaving import Found
from tests.shell.memory import merged
from tests.shell.test_leaving import found, pods

Document = dict[str, Any]
FROZEN = "Error from server: admission webhook denied the request: change freeze"


class Refusing(Kubectl):
    """kubectl before these CanaryReleases, with what belongs to them; patches of what is called `reviews` are refused."""

    def __init__(self, *found: Found) -> None:
        super().__init__()
        objects: dict[tuple[str, str], Document] = {}
        for each in found:
            for kind, document in (
                (RELEASES, each.release),
                (DESTINATION_RULES, each.rule),
                *((VIRTUAL_SERVICES, one) for one in each.routes),
            ):
                objects[kind, str((document or {})["metadata"]["name"])] = dict(document or {})
        object.__setattr__(self, "objects", objects)

    @property
    def known(self) -> dict[tuple[str, str], Document]:
        found: dict[tuple[str, str], Document] = object.__getattribute__(self, "objects")
        return found

    def patch(self, kind: str, namespace: str, name: str, change: Any, **_: object) -> Document:
        if name == "reviews":
            raise KubectlFailed(FROZEN)
        self.known[kind, name] = merged(self.known[kind, name], change)
        return self.known[kind, name]

    def delete(self, kind: str, namespace: str, name: str) -> None:
        del self.known[kind, name]

    def get(self, kind: str, namespace: str | None, name: str | None = None, *options: str) -> Document:
        if kind == "services":
            return {"spec": {"selector": {"app": "reviews"}}}
        return {"metadata": {"namespace": namespace, "name": name, "resourceVersion": "7"}, "status": {"release": {"number": 1}}}

    def items(self, kind: str, namespace: str | None, *options: str) -> list[Document]:
        return list(pods("v1", "v2")) if kind == "pods" else [each for (of, _), each in self.known.items() if of == kind]


def named(name: str) -> Found:
    """A CanaryRelease of this name with what belongs to it."""
    of = found(served=pods("v1", "v2"))
    for each in (of.release, *of.routes, of.rule):
        assert each is not None
        each["metadata"].update(name=name, labels={OWNER: name})
    return of


def test_what_is_refused_of_one_holds_up_no_other() -> None:
    said: list[str] = []
    kubectl = Refusing(named("reviews"), named("ratings"))

    with pytest.raises(KubectlFailed, match="left as they are, since a change was refused: shop/reviews"):
        uninstall.uninstall(kubectl, None, dry_run=False, say=said.append, wait=lambda seconds: None)

    assert [line for line in said if "shop/reviews" in line] == [
        f"CanaryRelease shop/reviews: left as it is from here on: VirtualService shop/reviews: canary 25 -> 0 %: {FROZEN}"
    ]
    assert "CanaryRelease shop/ratings: finalizer off" in said


def test_an_action_that_is_refused_says_that_nothing_was_asked_for() -> None:
    with pytest.raises(KubectlFailed, match=r"abort/1/1 was not written into CanaryRelease shop/reviews, so nothing was asked for: Error"):
        plugin._ask(Refusing(), "shop", "reviews", "abort")


@pytest.mark.parametrize(("reason", "done"), [("WriteRefused", False), ("Aborted", True)])
def test_an_action_that_was_heard_and_is_refused_is_not_done(reason: str, done: bool, capsys: pytest.CaptureFixture[str]) -> None:
    class Answering(Refusing):
        def get(self, kind: str, namespace: str | None, name: str | None = None, *options: str) -> Document:
            status = {"lastAction": "abort/1/1", "reason": reason, "phase": "Blocked", "message": "the canary still has 25 %"}
            return {"metadata": {"annotations": {ACTION: "abort/1/1"}}, "status": status}

    assert plugin._answered(Answering(), "shop", "reviews", "abort/1/1", 1) is done
    told = capsys.readouterr()
    assert "the canary still has 25 %" in (told.out if done else told.err)


@pytest.mark.parametrize("code", ["NotFound", "Conflict", "AlreadyExists", "Forbidden", "BadRequest"])
def test_what_an_admission_webhook_refuses_is_neither_missing_nor_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """A webhook chooses the code itself, and kubectl prints it: taken at its word, an object would be let go that is still there."""
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f"#!/bin/sh\necho 'Error from server ({code}): admission webhook \"x\" denied the request: not now' >&2\nexit 1\n")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(KubectlFailed) as raised:
        Kubectl().patch(VIRTUAL_SERVICES, "shop", "reviews", {})
    assert type(raised.value) is KubectlFailed
    assert "denied the request: not now" in str(raised.value)
