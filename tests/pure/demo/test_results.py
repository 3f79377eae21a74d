"""What the demo reports, from counts, revisions and requests."""

from collections import Counter
from xml.etree import ElementTree

import pytest
from rich.console import Console

from lab.audit import Request
from lab.demo.picture import picture
from lab.demo.play import judge
from lab.demo.results import Counts, Outcome, Second, Span, Timeline, by_second, measure
from lab.demo.shares import Shift, shifts
from lab.demo.table import sparkline
from lab.report import Report
from lab.revisions import Revision

COUNTS: Counts = Counter(
    {
        (100, "gateway", "reviews.shop", "v1", "200"): 95,
        (100, "mesh", "reviews.shop", "v2", "200"): 4,
        (101, "mesh", "reviews.shop", "v2", "503"): 2,
        (101, "mesh", "reviews.shop", "v1", "500"): 1,
        (101, "gateway", "reviews.shop", "-", "503"): 3,
        (101, "gateway", "reviews.shop", "-", "timeout"): 5,
    }
)


def request(verb: str, resource: str) -> Request:
    return Request(100, "istio-canary-operator/0.1.0", "operator", verb, resource, "", "shop", "reviews", 200, "/")


def rule(stable: str, canary: str, at: float) -> Revision:
    subsets = [{"name": name, "labels": {"version": version}} for name, version in (("stable", stable), ("canary", canary))]
    return Revision(int(at), "MODIFIED", {"kind": "DestinationRule", "spec": {"subsets": subsets}}, at)


def route(canary: int, at: float) -> Revision:
    shares = [{"destination": {"subset": "stable"}, "weight": 100 - canary}, {"destination": {"subset": "canary"}, "weight": canary}]
    return Revision(int(at), "MODIFIED", {"kind": "VirtualService", "spec": {"http": [{"route": shares}]}}, at)


def outcome(to: str, ended_as: str) -> Outcome:
    return Outcome("v1", to, ended_as, 10.0, 2000, 7, 0, 0, 5, 12)


def test_the_canary_is_blamed_for_its_own_answers_alone() -> None:
    found = measure(("v1", "v2"), "RolledBack", (100.0, 102.0), COUNTS, [], [])

    assert (found.canary_failures, found.lost_to_routing, found.timeouts, found.requests) == (2, 3, 5, 110)


def test_the_highest_weight_is_that_of_this_release() -> None:
    seen = [Shift(90, 100, {"v1": 100}), Shift(100.5, 5, {"v2": 5}), Shift(101, 25, {"v2": 25}), Shift(101.5, 0, {})]

    assert measure(("v1", "v2"), "RolledBack", (100.0, 102.0), COUNTS, seen, []).max_weight == 25


def test_watches_and_the_lease_are_no_api_requests_of_a_release() -> None:
    requests = [request("patch", "virtualservices"), request("watch", "virtualservices"), request("patch", "leases")]

    assert measure(("v1", "v2"), "Promoted", (100.0, 102.0), COUNTS, [], requests).api_requests == 1


def test_the_report_has_the_agreed_names() -> None:
    names = {"from", "to", "outcome", "seconds", "requests", "canary_failures", "lost_to_routing", "max_weight", "api_requests"}

    assert names <= outcome("v2", "Promoted").as_json().keys()


def test_a_version_keeps_its_share_when_the_subsets_change_places() -> None:
    """After a promotion the weights go home to 0, and yet the new version serves everything."""
    found = shifts([rule("v1", "v2", 1), route(100, 2), rule("v2", "v2", 3), route(0, 4)])

    assert [shift.versions for shift in found] == [{"v2": 100}, {"v2": 100}]
    assert [shift.weight for shift in found] == [100, 0]


def test_seconds_leave_out_what_no_backend_answered() -> None:
    assert by_second(Report(counts=COUNTS))[-1] == Second(101, "v2", 2, 2)
    assert {second.version for second in by_second(Report(counts=COUNTS))} == {"v1", "v2"}


@pytest.mark.parametrize(("weights", "drawn"), [([], ""), ([0], "·"), ([0, 5, 25, 50, 100], "·▁▂▄█"), ([50] * 500, "▄" * 60)])
def test_the_small_curve(weights: list[int], drawn: str) -> None:
    assert sparkline(weights) == drawn


def test_the_picture_is_wellformed_and_says_how_each_release_ended() -> None:
    spans = [Span(100, 180, outcome("v2", "Promoted")), Span(182, 192, outcome("v<3>", "RolledBack"))]
    seen = [Shift(103, 5, {"v1": 95, "v2": 5}), Shift(150, 100, {"v2": 100}), Shift(184, 5, {"v<3>": 5}), Shift(188, 0, {"v2": 100})]
    seconds = [Second(160, "v2", 200, 0), Second(185, "v<3>", 10, 3)]

    drawn = picture(Timeline(spans, seen, seconds, {}))

    words = [text.text for text in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]
    assert {"v2 is promoted, v<3> is rolled back", "Promoted after 10 s", "RolledBack after 10 s", "7 of 10 failed", "100 %"} <= set(words)


@pytest.mark.parametrize(("second", "code"), [("RolledBack", 0), ("Promoted", 1), ("Unfinished", 1)])
def test_the_exit_code_tells_whether_the_outcomes_are_the_expected_ones(second: str, code: int) -> None:
    spans = [Span(100, 180, outcome("v2", "Promoted")), Span(182, 192, outcome("v3", second))]

    assert judge(Console(quiet=True), Timeline(spans, [], [], {})) == code
