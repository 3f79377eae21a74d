"""The definition of CanaryRelease as the API server has it, and what it has against a spec."""

import json
from collections.abc import Iterator

from canary_operator.api import names
from lab.api import ApiError
from tests.cluster.clients import Document, Releases

DEFINITION_PATH = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{names.PLURAL}.{names.GROUP}"


def causes(releases: Releases, given: object, name: str = "reviews") -> list[Document]:
    """What the API server has against a spec, field by field; nothing is stored."""
    try:
        releases.create(given, name, dry_run=True)
    except ApiError as error:
        found: list[Document] = json.loads(error.body)["details"]["causes"]
        return found
    return []


def nodes(schema: Document) -> Iterator[Document]:
    yield schema
    for field in schema.get("properties", {}).values():
        yield from nodes(field)
    if "items" in schema:
        yield from nodes(schema["items"])
