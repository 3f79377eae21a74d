"""What Argo CD and Flux make of a CanaryRelease in each of its states: the shipped health script is run, and kstatus' rules are applied."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import lupa
import pytest
import yaml

from canary_operator.api.status import Outcome
from canary_operator.reconcile import as_json
from canary_operator.release import reasons
from tests.builders import Situation, release

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "deploy/gitops/argocd/argocd-cm.yaml"
KEY = "resource.customizations.health.canary.rollouts.dev_CanaryRelease"
RUNNING = release().at_step(2, since=50)
Document = dict[str, Any]


def stored(situation: Situation, **changes: Any) -> Document:
    """The CanaryRelease as the API server would have it."""
    return {"metadata": {"generation": situation.seen.generation}, "status": {**as_json(situation.status()), **changes}}


def suspended(reason: str, phase: str) -> Document:
    """A release that waits for a person."""
    return stored(RUNNING.healthy(seconds=50), phase=phase, reason=reason)


STATES: dict[str, tuple[Document, str, str]] = {
    "the operator was never there": ({"metadata": {"generation": 1}, "status": {"observedGeneration": -1}}, "Progressing", "InProgress"),
    "the spec was changed a moment ago": (
        {**stored(release().at_rest().wanting("v1")), "metadata": {"generation": 2}},
        "Progressing",
        "InProgress",
    ),
    "the route is being taken over": (stored(release()), "Progressing", "InProgress"),
    "at rest": (stored(release().at_rest().wanting("v1")), "Healthy", "Current"),
    "a release runs": (stored(RUNNING.healthy(seconds=50)), "Progressing", "InProgress"),
    "it bakes": (stored(release().baking(since=10).healthy()), "Progressing", "InProgress"),
    "approval is asked for": (suspended("ApprovalRequired", "Waiting"), "Suspended", "InProgress"),
    "a person has stopped it": (suspended("Suspended", "Suspended"), "Suspended", "InProgress"),
    "pods are waited for": (suspended("CanaryNotReady", "Waiting"), "Progressing", "InProgress"),
    "rolling back": (stored(RUNNING.failing(0.5)), "Progressing", "InProgress"),
    "rolled back": (stored(release().ended(Outcome.ROLLED_BACK, reasons.MORE_FAILURES).deployed("v2")), "Degraded", "Failed"),
    "withdrawn": (stored(release().ended(Outcome.WITHDRAWN, reasons.ABORTED).deployed("v2")), "Degraded", "Failed"),
    "blocked": (stored(release().observing(versions={})), "Degraded", "Failed"),
}


@pytest.fixture(scope="module")
def script() -> str:
    text: str = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["data"][KEY]
    return text


def health(script: str, document: Document) -> tuple[str, str]:
    """What the script answers, run as Argo CD runs it."""
    runtime = lupa.LuaRuntime(register_eval=False, unpack_returned_tuples=True)  # type: ignore[attr-defined]
    answer = runtime.execute(f"local obj = ...; {script}", runtime.table_from(document, recursive=True))
    return answer.status, answer.message


def kstatus(document: Document) -> str:
    """The rules of github.com/kubernetes-sigs/cli-utils, pkg/kstatus: what Flux and `kpt` wait by."""
    status = document.get("status") or {}
    conditions = {each["type"]: each["status"] for each in status.get("conditions") or ()}
    if document["metadata"].get("deletionTimestamp"):
        return "Terminating"
    if "observedGeneration" in status and status["observedGeneration"] != document["metadata"]["generation"]:
        return "InProgress"
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    return "Current" if conditions.get("Ready", "True") == "True" else "InProgress"


@pytest.mark.parametrize("state", list(STATES))
def test_argo_cd_shows(script: str, state: str) -> None:
    document, shown, _ = STATES[state]

    assert health(script, document)[0] == shown


@pytest.mark.parametrize("state", list(STATES))
def test_flux_waits_by(state: str) -> None:
    document, _, waited = STATES[state]

    assert kstatus(document) == waited


def test_argo_cd_shows_the_reason_in_the_operators_words(script: str) -> None:
    document = STATES["rolled back"][0]

    assert health(script, document)[1] == "it ended"


def test_argo_cd_shows_a_deletion(script: str) -> None:
    document = stored(replace(release().at_rest().wanting("v1")))
    document["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert health(script, document)[0] == "Progressing"


@pytest.mark.parametrize("path", sorted((ROOT / "deploy/gitops").rglob("*.yaml")), ids=lambda path: path.name)
def test_each_file_is_whole_in_the_guide_or_named_there(path: Path) -> None:
    guide = (ROOT / "docs/gitops.md").read_text(encoding="utf-8")

    assert re.search(rf"\({re.escape('../' + str(path.relative_to(ROOT)))}\)", guide)
