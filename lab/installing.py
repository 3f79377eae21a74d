"""Applies documents and waits until their kinds can be used."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from lab.api import Api, ApiError
from lab.waiting import until

Document = dict[str, Any]
CRD = "CustomResourceDefinition"


def install(api: Api, source: Path | Iterable[Document]) -> None:
    """CRDs first, then the rest in the order given.

    Raises:
        ApiError: The API server refused a document.
    """
    documents = [*_load(source)] if isinstance(source, Path) else [*source]
    crds = [document for document in documents if document["kind"] == CRD]
    api.apply(*crds)
    wait_for_crds(api, crds)
    api.apply(*(document for document in documents if document["kind"] != CRD))


def wait_for_crds(api: Api, crds: Iterable[Document]) -> None:
    """Blocks until every served version can be listed: right after a CRD was made, lists answer 404, then 429."""
    for crd in crds:
        spec = crd["spec"]
        for version in spec["versions"]:
            if version["served"]:
                path = f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}"
                until(partial(_can_be_listed, api, path), f"{path} can be listed")


def _can_be_listed(api: Api, path: str) -> bool:
    try:
        api.list(path, limit="1")
    except ApiError as error:
        if error.status in (404, 429):
            return False
        raise
    return True


def _load(source: Path) -> Iterable[Document]:
    files = sorted(source.rglob("*.yaml")) if source.is_dir() else [source]
    for file in files:
        yield from (document for document in yaml.load_all(file.read_text(), yaml.CSafeLoader) if document)
