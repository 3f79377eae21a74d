"""The mistakes of the article, made with the real injector and validator: each is found and told, and the release goes on once it is mended.

All stand side by side, since what is not watched is looked at once a minute. BLOCKED=FILE writes down what a user sees of each.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from lab import Lab
from lab.load import Load
from lab.operator import Operator
from lab.waiting import until
from tests.mesh.article import MISTAKES, Mistake
from tests.mesh.blocked import page
from tests.mesh.place import Place

GOING_ON = ("Stable", "Progressing", "Waiting")


def make(place: Place, mistake: Mistake) -> None:
    """Makes the mistake and notes what is told."""
    mistake.make(place)
    until(lambda: place.said(mistake.reason), f"{mistake.reason} is told; it is {place.told}", 90)
    mistake.message = place.said(mistake.reason) or ""
    mistake.described = place.lab.kubectl("describe", "canaryrelease", "reviews", "-n", place.namespace).stdout


def mend(place: Place, mistake: Mistake) -> None:
    """As the message says."""
    if mistake.message:
        mistake.mend(place, mistake.message)


def other_host(lab: Lab) -> None:
    """Callers at the gateway send a host that no VirtualService rules; then some send the right one, and there is nothing left to say."""
    place, hosts = Place(lab, "article-host"), ["reviews.article.example.com"]
    place.prepare()
    lab.wait_ready(place.version("v1", image="backend"))
    traffic = {"owned": {"hosts": hosts, "gateways": ["infra/public", "mesh"]}}
    place.release(traffic=traffic, steps=[{"weight": 5, "hold": {"min": "200s", "max": "300s"}}])
    until(lambda: place.status.get("reason") == "AtRest", f"adopted: {place.told}", 60)
    lab.wait_served(place.service, "v1", through=["mesh"])
    loads: list[Load] = [
        lab.load(place.service, rate=20, through=["mesh"]),
        lab.load(place.service, rate=20, through=["gateway"], host="www.article.example.com"),
    ]
    until(lambda: loads[0].report.answered > 100 and loads[1].report.answered + loads[1].report.lost > 50, "requests are counted", 30)
    place.version("v2", image="backend")
    lab.api.patch(place.path, {"spec": {"version": "v2"}}, "application/merge-patch+json")
    said = until(lambda: place.said("GatewayUnused"), f"GatewayUnused is told; {place.told}", 90)
    assert "Host: reviews.article.example.com" in str(said)
    assert place.status["phase"] != "Blocked"
    loads.append(lab.load(place.service, rate=20, through=["gateway"], host=hosts[0]))
    until(lambda: place.said("GatewayUnused") is None, f"GatewayUnused is no longer told; {place.told}", 90)
    until(lambda: not place.status.get("warnings"), f"nothing is left to warn of; {place.status.get('warnings')}", 90)
    assert place.status["phase"] == "Progressing"
    for load in loads:
        load.kill()
    lab.api.delete(place.path)
    until(lambda: lab.api.find(place.path) is None, "the CanaryRelease is gone", 60)


@pytest.fixture(scope="module")
def story(lab: Lab, operator: Operator) -> Iterator["Future[None]"]:
    """It takes two looks, a minute apart: in the background of everything else."""
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(other_host, lab)


@pytest.fixture(scope="module")
def places(lab: Lab, story: "Future[None]") -> Iterator[dict[str, Place]]:
    """All mistakes, made and mended; what went wrong with one is left to its own test."""
    made = {mistake.title: Place(lab, f"article-{number}") for number, mistake in enumerate(MISTAKES, 1)}
    with ThreadPoolExecutor(len(MISTAKES)) as threads:
        for step in (make, mend):
            tried = [(mistake, threads.submit(step, made[mistake.title], mistake)) for mistake in MISTAKES]
            for mistake, result in tried:
                mistake.failed = mistake.failed or result.exception()
    if "BLOCKED" in os.environ:
        Path(os.environ["BLOCKED"]).write_text(page(MISTAKES), encoding="utf-8")
    yield made
    for place in made.values():
        lab.api.delete(place.path)
    for place in made.values():
        until(partial(lambda path: lab.api.find(path) is None, place.path), "the CanaryRelease is gone", 60)
        lab.api.delete(f"/api/v1/namespaces/{place.namespace}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.title)
def test_the_release_goes_on_once_it_is_mended_as_the_message_says(mistake: Mistake, places: dict[str, Place]) -> None:
    place = places[mistake.title]
    if mistake.failed:
        raise mistake.failed
    assert mistake.reason in mistake.described
    until(lambda: place.said(mistake.reason) is None, f"{mistake.reason} is no longer told: {place.told}", 100)
    until(lambda: place.status.get("phase") in GOING_ON, f"the release goes on: {place.told}", 30)


@pytest.mark.timeout(240)
def test_callers_who_send_another_host_are_told_which_and_then_there_is_nothing_to_say(story: "Future[None]") -> None:
    story.result(timeout=230)
