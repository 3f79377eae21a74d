"""The command `simulate`, and the CanaryReleases that its tests play."""

import json

from click.testing import CliRunner, Result

from canary_operator.cli.main import main as operator

RELEASE = """
apiVersion: canary.rollouts.dev/v1beta1
kind: CanaryRelease
metadata: {name: reviews}
spec:
  service: {name: reviews}
  version: v2
"""
SHORT = RELEASE + "  steps: [{weight: 10, hold: {min: 20s, max: 1m}}]\n  bake: 10s\n"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: reviews}\n"


def run(text: str, *options: str, columns: int = 100) -> Result:
    """The command, with the CanaryRelease on its standard input."""
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(operator, ["simulate", "-f", "-", *options], input=text)


def as_json(text: str, *options: str) -> dict:
    return json.loads(run(text, "-o", "json", *options).stdout)
