"""`kubectl canary`: acts on releases, and lets them go. Talks to the cluster through kubectl; knows neither Kopf nor the Kubernetes client."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import click

from canary_operator import __version__
from canary_operator.api.names import MANAGER
from canary_operator.cli.asking import Refused, action_text, change
from canary_operator.cli.kubectl import DESTINATION_RULES, RELEASES, VIRTUAL_SERVICES, Changed, Document, Kubectl, KubectlFailed
from canary_operator.cli.running import operator_at_work
from canary_operator.cli.simulate import simulate
from canary_operator.cli.uninstall import uninstall as let_go
from canary_operator.release.actions import VERBS
from canary_operator.release.reasons import ACTION_IGNORED, WRITE_REFUSED

ATTEMPTS = 5
LOOK_AGAIN_SECONDS = 0.2
MEANINGS = {
    "approve": "Let a release that waits for approval take the weight it asks for.",
    "promote": "Skip the rest of the steps: all traffic to the new version, then the bake. "
    "While stable has no ready pod: make the new version stable at once.",
    "skip": "End the hold of the present step, or the bake, now; a verdict against the canary still stands in the way.",
    "pause": "Stop rises; analysis and rollback go on.",
    "resume": "Take up a paused release again.",
    "abort": "Take all traffic back at once.",
    "retry": "Open a new release of the version that was taken back; judge a canary that is held anew.",
}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kubectl-canary")
def main() -> None:
    """Acts on CanaryReleases as the user of your kubectl."""


def _connected(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds kubectl's own options, hands the command a `Kubectl`, and words failures in one line."""

    @click.option("--context", metavar="NAME", help="Context of your kubeconfig.")
    @click.option("--kubeconfig", metavar="FILE", help="Another kubeconfig.")
    @wraps(command)
    def connected(context: str | None, kubeconfig: str | None, **options: Any) -> None:
        chosen = (("--context", context), ("--kubeconfig", kubeconfig))
        kubectl = Kubectl(tuple(word for option, value in chosen if value for word in (option, value)))
        try:
            command(kubectl, **options)
        except (KubectlFailed, Refused) as error:
            click.echo(f"kubectl-canary: {error}", err=True)
            sys.exit(1)

    return connected


def _action(verb: str) -> None:
    @main.command(verb, help=MEANINGS[verb])
    @click.argument("name")
    @click.option("-n", "--namespace", metavar="NS", help="Its namespace; your context's when left out.")
    @click.option(
        "--timeout", default=10.0, show_default=True, metavar="SECONDS", help="How long to wait for the operator's answer; 0: not at all."
    )
    @_connected
    def act(kubectl: Kubectl, name: str, namespace: str | None, timeout: float) -> None:
        place = namespace or kubectl.namespace()
        text = _ask(kubectl, place, name, verb)
        click.echo(f"canaryrelease/{name}: asked for {text}")
        if timeout and not _answered(kubectl, place, name, text, timeout):
            sys.exit(1)


for _verb in VERBS:
    _action(_verb)


def _ask(kubectl: Kubectl, namespace: str, name: str, verb: str) -> str:
    """Writes the annotation; answers its text."""
    for attempt in range(ATTEMPTS):
        release = kubectl.get(RELEASES, namespace, name)
        text = action_text(release, verb)
        try:
            kubectl.patch(RELEASES, namespace, name, change(release, text))
        except Changed:
            if attempt == ATTEMPTS - 1:
                raise
        except KubectlFailed as error:
            raise KubectlFailed(
                f"{text} was not written into CanaryRelease {namespace}/{name}, so nothing was asked for: {error}"
            ) from error
        else:
            return text
    raise AssertionError("the last attempt answers or raises")


def _answered(kubectl: Kubectl, namespace: str, name: str, text: str, seconds: float) -> bool:
    """Waits until the operator has acknowledged the action, and says what came of it; True: it was carried out."""
    deadline = time.monotonic() + seconds
    while True:
        status = kubectl.get(RELEASES, namespace, name).get("status") or {}
        if status.get("lastAction") == text:
            break
        if time.monotonic() > deadline:
            click.echo(f"kubectl-canary: not acknowledged within {seconds:g} s: {status.get('message', 'no status')}", err=True)
            return False
        time.sleep(LOOK_AGAIN_SECONDS)  # noqa: TID251
    if ignored := _ignored(kubectl, namespace, name, text):
        click.echo(f"kubectl-canary: {ignored}", err=True)
        return False
    told = f"canaryrelease/{name}: {status.get('phase')}: {status.get('message')}"
    refused = status.get("reason") == WRITE_REFUSED  # it was heard, and what comes of it is not written yet
    click.echo(told, err=refused)
    return not refused


def _ignored(kubectl: Kubectl, namespace: str, name: str, text: str) -> str | None:
    """What the operator says of an action that has no effect; None when it had one."""
    selector = f"--field-selector=involvedObject.name={name},reason={ACTION_IGNORED}"
    told = [str(event.get("message")) for event in kubectl.items("events", namespace, selector)]
    return next((message for message in told if repr(text) in message), None)


@main.command()
@click.option("-n", "--namespace", metavar="NS", help="Only the CanaryReleases of this namespace; all when left out.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--force", is_flag=True, help="Although an operator is at work.")
@_connected
def uninstall(kubectl: Kubectl, namespace: str | None, dry_run: bool, force: bool) -> None:
    """Bring all routes home and free all CanaryReleases, without the operator.

    Stop the operator first. Traffic goes to stable, or where that has no ready pod to a version that serves, and settles. Where several versions
    serve both subsets are pinned to that version; where one does, routes that nobody needs go, and the others name the host without a subset. What
    stays becomes yours, and the finalizers come off. The CanaryReleases themselves stay, until you delete them or their CRD.
    """
    if not force and (shows := _at_work(kubectl, namespace)):
        words = (
            f"an operator is still at work and would undo this: {shows}; stop it first (if you have stopped it, wait 30 s), or say --force"
        )
        if not dry_run:
            raise KubectlFailed(words)
        click.echo(f"note: {words}")
    let_go(kubectl, namespace, dry_run=dry_run, say=click.echo, wait=time.sleep)  # noqa: TID251
    click.echo("nothing is held any more" if not dry_run else "nothing was done")


def _at_work(kubectl: Kubectl, namespace: str | None) -> str | None:
    kinds = (RELEASES, VIRTUAL_SERVICES, DESTINATION_RULES)
    written: list[Document] = [each for kind in kinds for each in kubectl.items(kind, namespace, "--show-managed-fields")]
    return operator_at_work(
        kubectl.items("leases.coordination.k8s.io", None, f"--field-selector=metadata.name={MANAGER}"),
        kubectl.items("deployments.apps", None, f"--selector=app.kubernetes.io/name={MANAGER}"),
        written,
        datetime.now(UTC),  # noqa: TID251
    )


main.add_command(simulate)


if __name__ == "__main__":
    main()
