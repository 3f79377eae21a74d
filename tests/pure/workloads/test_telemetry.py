"""Workloads that only telemetry shows."""

from typing import Any

import pytest

from canary_operator.workloads.model import Serving, Survey
from canary_operator.workloads.telemetry import with_telemetry

FOUND = Survey({version: Serving(version, f"{version}@1", (f"web-{version}",), 1, 1) for version in ("v1", "v2")})


def row(served_by: str, version: str = "unknown", revision: str = "latest", requests: float = 5.0) -> dict[str, Any]:
    return {"served_by": served_by, "version": version, "revision": revision, "requests": requests}


@pytest.mark.parametrize(
    ("label", "rows", "v1", "v2"),
    [
        pytest.param("version", [], ["web-v1"], ["web-v2"], id="none"),
        pytest.param("version", [row("vm", "v2")], ["web-v1"], ["vm", "web-v2"], id="one that says its version"),
        pytest.param("version", [row("vm", "unknown", "v1")], ["vm", "web-v1"], ["web-v2"], id="or its canonical revision"),
        pytest.param("app.kubernetes.io/version", [row("vm", "v1", "v2")], ["web-v1"], ["vm", "web-v2"], id="of another label only that"),
        pytest.param("release", [row("vm", "v1", "v2")], ["web-v1"], ["web-v2"], id="a label that telemetry does not show"),
        pytest.param("version", [row("vm", "v2", requests=0.0)], ["web-v1"], ["web-v2"], id="no request lately"),
        pytest.param("version", [row("unknown", "v2"), row("", "v2")], ["web-v1"], ["web-v2"], id="requests that reached nobody"),
        pytest.param("version", [row("vm")], ["web-v1"], ["web-v2"], id="one that says nothing"),
        pytest.param("version", [row("vm", "v1"), row("vm", "v2")], ["web-v1"], ["web-v2"], id="one that says both"),
        pytest.param("version", [row("web-v1", "v2")], ["web-v1"], ["web-v2"], id="one that belongs to the other by its pods"),
        pytest.param("version", [row("vm", "v3")], ["web-v1"], ["web-v2"], id="of a third version"),
        pytest.param("version", [{}], ["web-v1"], ["web-v2"], id="an empty row"),
    ],
)
def test_names_are_added_where_nothing_speaks_against_it(label: str, rows: list[dict[str, Any]], v1: list[str], v2: list[str]) -> None:
    found = with_telemetry(FOUND, label, rows).versions
    assert (list(found["v1"].workloads), list(found["v2"].workloads)) == (v1, v2)
    assert set(found) == {"v1", "v2"}
