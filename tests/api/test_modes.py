"""Routes of the user's: attached ones, of which only two weights change, and a root that delegates to the operator's."""

from copy import deepcopy

import pytest

from lab.operator import Operator
from lab.waiting import until
from tests.api.place import Document, Place

STAYS = [{"weight": 20, "hold": {"min": "30m", "max": "40m"}}]
SHORT = [{"weight": 20, "hold": {"min": "0s", "max": "20s"}}]
FRONT = "front"


def share(place: Place, subset: str, weight: int) -> Document:
    return {"destination": {"host": f"reviews.{place.namespace}.svc.cluster.local", "subset": subset}, "weight": weight}


def front(place: Place, *routes: Document) -> Document:
    """A VirtualService as a user has it in Git."""
    metadata = {"name": FRONT, "namespace": place.namespace, "labels": {"team": "shop"}, "annotations": {"owner": "somebody"}}
    spec = {"hosts": [f"reviews.{place.namespace}.svc.cluster.local"], "exportTo": ["*"], "http": list(routes)}
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": spec}


def primary(place: Place, **more: object) -> Document:
    """The route that is managed."""
    return {"route": [share(place, "stable", 100), share(place, "canary", 0)], "timeout": "3s", "retries": {"attempts": 2}, **more}


def other(place: Place) -> Document:
    """A route that is nobody's business."""
    return {"name": "admin", "match": [{"uri": {"prefix": "/admin"}}], "route": [share(place, "stable", 100)]}


def stored(place: Place) -> Document:
    found = place.find("VirtualService", FRONT)
    assert found is not None
    return found


def weights(document: Document) -> list[int]:
    """Of the last route, the managed one."""
    return [each["weight"] for each in document["spec"]["http"][-1]["route"]]


def attach(place: Place, document: Document | None, *routes: str, **spec: object) -> None:
    """A release at rest on v1 with these routes attached; v2 is deployed."""
    place.deploy("reviews")
    if document is not None:
        place.api.create(document)
    place.release(traffic={"attach": [{"virtualService": FRONT, **({"routes": list(routes)} if routes else {})}]}, **spec)


def rise(place: Place) -> None:
    place.adopted("reviews")
    place.want("v2")
    until(lambda: weights(stored(place)) == [80, 20], f"80/20: {place.status().get('message')}", 60)


def test_the_only_route_needs_no_name(place: Place) -> None:
    attach(place, front(place, primary(place)), steps=SHORT)
    rise(place)
    assert place.ended(1)[1] == "Promoted"
    assert weights(stored(place)) == [100, 0]


def test_of_an_attached_route_only_the_two_weights_change_and_it_survives_deletion(place: Place) -> None:
    before = front(place, other(place), primary(place, name="primary"))
    attach(place, before, "primary", steps=STAYS)
    rise(place)
    risen = deepcopy(stored(place)["spec"])
    for each, weight in zip(risen["http"][-1]["route"], (100, 0), strict=True):
        each["weight"] = weight
    assert risen == before["spec"]

    place.api.delete(place.path())
    place.gone()

    after = stored(place)
    assert after["spec"] == before["spec"]
    assert (after["metadata"]["labels"], after["metadata"]["annotations"]) == ({"team": "shop"}, {"owner": "somebody"})


def test_a_missing_virtual_service_blocks_and_the_release_goes_on_when_it_is_there(place: Place) -> None:
    attach(place, None, "primary", steps=STAYS)
    place.wait_phase("Blocked")
    assert place.status()["reason"] == "RouteMissing"
    place.api.create(front(place, primary(place, name="primary")))
    rise(place)


@pytest.mark.parametrize("end", ["deletion", "uninstall"])
def test_a_delegate_stays_as_long_as_a_root_names_it(place: Place, stopped: Operator, end: str) -> None:
    place.deploy("reviews")
    place.api.create(front(place, {"delegate": {"name": "reviews", "namespace": place.namespace}}))
    place.release(traffic={"delegate": {}}, steps=STAYS)
    place.adopted("reviews")
    place.want("v2")
    place.wait_weight(20)
    if end == "deletion":
        place.api.delete(place.path())
        place.gone()
    else:
        stopped.terminate()
        done = place.plugin("uninstall", "--namespace", place.namespace, "--force")
        assert done.returncode == 0, done.stderr
    delegate, rule = place.find("VirtualService"), place.find("DestinationRule")
    assert delegate is not None and rule is not None
    assert place.weight() == 0
    assert {subset["labels"]["version"] for subset in rule["spec"]["subsets"]} == {"v1"}
    assert not [key for key in delegate["metadata"].get("labels", {}) if "canary.rollouts.dev" in key]


def test_uninstalling_leaves_an_attached_route_as_it_was_in_git(place: Place, stopped: Operator) -> None:
    before = front(place, other(place), primary(place, name="primary"))
    attach(place, before, "primary", steps=STAYS)
    rise(place)
    stopped.terminate()

    done = place.plugin("uninstall", "--namespace", place.namespace, "--force")

    assert done.returncode == 0, done.stderr
    after = stored(place)
    assert (after["spec"], after["metadata"]["annotations"]) == (before["spec"], {"owner": "somebody"})
