"""Specs to try: the least one, changed in one place."""

from typing import Any

from tests.cluster.clients import Document


def spec(**fields: Any) -> Document:
    """The least spec, changed; a field given as None is left out."""
    wanted = {"service": {"name": "reviews"}, "version": "v2", **fields}
    return {name: value for name, value in wanted.items() if value is not None}


def errors(**fields: Any) -> Document:
    return spec(analysis={"errors": fields})


def query(**fields: Any) -> Document:
    """One query of the user's own; a field given as None is left out."""
    wanted = {"name": "depth", "query": "max(depth)", "max": "100", **fields}
    return spec(analysis={"queries": [{name: value for name, value in wanted.items() if value is not None}]})


def owned(**fields: Any) -> Document:
    return spec(traffic={"owned": fields})


def attach(*entries: Document) -> Document:
    return spec(traffic={"attach": list(entries)})


def preview(**match: Any) -> Document:
    return spec(preview={"match": [match]})


def held(**hold: str) -> Document:
    return spec(steps=[{"weight": 5, "hold": hold}])


def pace(**fields: Any) -> Document:
    return spec(pace={"failureBudget": 20, **fields})


def weights(*numbers: Any) -> Document:
    return spec(steps=[{"weight": number} for number in numbers])
