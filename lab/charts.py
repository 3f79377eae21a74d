"""Istio's own objects, from Istio's own charts: CRDs, the injector's ConfigMap, the webhooks of injector and validator.

Rendered once with Helm and kept as JSON in the cache beside the programs, because parsing 870 KB of YAML costs more than starting an API
server. Nothing of it is ever committed.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from lab.cache import cache_directory
from lab.programs import ISTIOD, MODULES, fingerprint

Document = dict[str, Any]

WEBHOOK_ADDRESS = "localhost:15017"
_RENDERING = "3"
"""Raise it when this module changes what it keeps."""


def rendered() -> bool:
    """Whether the cache has them."""
    return _file().exists()


def load() -> tuple[list[Document], list[Document]]:
    """The CRDs, and the objects of injector and validator."""
    content = json.loads(_file().read_text())
    return content["crds"], content["webhooks"]


def render(go: Path, helm: Path, environment: dict[str, str]) -> None:
    """Renders into the cache. Needs Istio's module in Go's module cache, which building istiod puts there."""
    download = [str(go), "mod", "download", "-json", "istio.io/istio"]
    found = subprocess.run(download, cwd=MODULES / ISTIOD.folder, env=environment, capture_output=True, text=True, check=True)
    charts = Path(json.loads(found.stdout)["Dir"]) / "manifests" / "charts"
    crds = yaml.load_all((charts / "base" / "files" / "crd-all.gen.yaml").read_text(), yaml.CSafeLoader)
    webhooks = [
        *_templates(helm, charts / "istio-control" / "istio-discovery"),
        *_templates(helm, charts / "base", "--set", "defaultRevision=default"),
    ]
    unfinished = _file().with_suffix(f".{os.getpid()}.part")
    unfinished.write_text(json.dumps({"crds": [crd for crd in crds if crd], "webhooks": webhooks}))
    unfinished.replace(_file())


def _templates(helm: Path, chart: Path, *arguments: str) -> Iterator[Document]:
    command = [str(helm), "template", chart.name, str(chart), "--namespace", "istio-system", *arguments]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for document in yaml.load_all(output, yaml.CSafeLoader):
        if document and (document["kind"].endswith("WebhookConfiguration") or document["metadata"]["name"] == "istio-sidecar-injector"):
            for webhook in document.get("webhooks", ()):
                service = webhook["clientConfig"].pop("service")
                webhook["clientConfig"]["url"] = f"https://{WEBHOOK_ADDRESS}{service['path']}"
            yield document


def _file() -> Path:
    return cache_directory() / f"istio-{ISTIOD.version}-{fingerprint(ISTIOD.folder, (_RENDERING,))}.json"
