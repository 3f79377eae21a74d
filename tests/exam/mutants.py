"""What is broken, and which test notices. The numbers M1 to M36 are those of a list that was drawn up before the tests were."""

from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path("operator/canary_operator")
CRASHES = "tests/pure/release/test_crashes.py::test_a_crash_at_any_write_changes_nothing_in_the_end"
DAYS = "tests/pure/release/test_days.py::test_no_rule_breaks_on_a_bad_day"
GUARDS = "tests/pure/release/test_guards.py"
PAUSED = "tests/faults/test_paused_process.py"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One place that is broken."""

    name: str
    what: str
    """What the operator does wrongly, in a clause."""
    file: str
    """Inside the package."""
    old: str
    """Stands exactly once in the file."""
    new: str
    killers: tuple[str, ...]
    """Tests that have to go red: pytest names, or plans such as `good:3:conflict` of the fault tests."""


MUTANTS = (
    Mutant(
        "M1",
        "the route is made before the subsets that it names",
        "release/homeward.py",
        "    if subsets is None or subsets.stable is None or subsets.canary is None:\n",
        "    if route is None and subsets is None:\n"
        "        return Shift(0)\n"
        "    if subsets is None or subsets.stable is None or subsets.canary is None:\n",
        ("adoption:1:after",),
    ),
    Mutant(
        "M2",
        "the subsets go before the route that names them",
        "release/deletion.py",
        "effects=(RemoveRoute(),), again",
        "effects=(RemoveSubsets(), RemoveRoute()), again",
        ("removed:1:after",),
    ),
    Mutant(
        "M3",
        "a rise is written before it is recorded",
        "release/steps.py",
        "(RecordState(), scene.shift(state, reasons.STEP_PASSED, state.weight, extras_of(scene, state)), Announce(because))",
        "(scene.shift(state, reasons.STEP_PASSED, state.weight, extras_of(scene, state)), RecordState(), Announce(because))",
        (f"{CRASHES}[good]", "good:4:lost"),
    ),
    Mutant(
        "M4",
        "the way back waits until the status is written",
        "release/scene.py",
        "effects=(*shift, RecordState(), announce)",
        "effects=(RecordState(), *shift, announce)",
        (f"{CRASHES}[bad]",),
    ),
    Mutant(
        "M5",
        "routing is written whatever happened to the object since it was read",
        "routing.py",
        '    body["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]\n',
        "",
        (f"{PAUSED}::test_a_write_that_was_on_its_way_all_the_time_is_refused",),
    ),
    Mutant(
        "M6",
        "a record that is refused with 409 counts as written",
        "apply.py",
        '        written = await hands.cluster.json_patch(CANARY_RELEASE, *it.key, operations, subresource="status")\n',
        "        try:\n"
        '            written = await hands.cluster.json_patch(CANARY_RELEASE, *it.key, operations, subresource="status")\n'
        "        except Conflict:\n"
        '            return it.document["status"]\n',
        ("good:3:conflict",),
    ),
    Mutant(
        "M7",
        "an object counts as deleted whatever the API server answers",
        "removal.py",
        "        if await _is_still_there(kind, document, hands):\n            raise\n",
        "",
        ("removed:3:conflict",),
    ),
    Mutant(
        "M8",
        "marks of a CanaryRelease of the same name that is gone are believed",
        "release/belief.py",
        "if mark is not None and mark.uid == seen.uid)",
        "if mark is not None)",
        ("reborn:8:before",),
    ),
    Mutant(
        "M9",
        "a later decision of a CanaryRelease that is gone forbids writing",
        "routing.py",
        "    if last is not None and last.uid == mark.uid and (last.rank > mark.rank",
        "    if last is not None and (last.rank > mark.rank",
        ("reborn:8:before",),
    ),
    Mutant(
        "M10",
        "of two CanaryReleases on one service both work",
        "preflight/releases.py",
        "            or facts.is_older_than(peer)\n",
        "            or True\n",
        ("conflict:4:before",),
    ),
    Mutant(
        "M12",
        "the weights sum to 99",
        "traffic/virtual_service.py",
        "else 100 - canary\n",
        "else 99 - canary\n",
        ("good:1:before",),
    ),
    Mutant(
        "M14",
        "what a user added to the managed route is lost",
        "traffic/virtual_service.py",
        "    route = {key: value for key, value in routes[index].items() if key not in _INSTEAD_OF_A_ROUTE}\n",
        '    route = {"name": ROUTE, "route": routes[index].get("route") or []}\n',
        ("reset:7:lost",),
    ),
    Mutant(
        "M15",
        "a user's other routes are lost",
        "traffic/virtual_service.py",
        "    routes[index] = _mirrored(route, wanted, mirror)\n",
        "    routes[:] = [_mirrored(route, wanted, mirror)]\n",
        ("reset:7:lost",),
    ),
    Mutant(
        "M16",
        "the finalizer stays for ever",
        "apply.py",
        "[name for name in _finalizers(it) if name != FINALIZER]",
        "_finalizers(it)",
        ("removed:1:after",),
    ),
    Mutant(
        "M17",
        "the canary is called stable in status while a release runs",
        "release/scene.py",
        "            stable=self.seen.stable,\n",
        "            stable=self.state.to or self.seen.stable,\n",
        (f"{GUARDS}::test_the_canary_is_never_called_stable_before_it_is_promoted",),
    ),
    Mutant(
        "M18",
        "a sample that is no number counts as 0",
        "analysis/samples.py",
        '        raise _Malformed(f"a sample is {short(text)}, not a number")\n',
        "        return 0.0\n",
        ("tests/pure/analysis/test_samples.py::test_says_why_an_answer_is_unusable",),
    ),
    Mutant(
        "M20",
        "no samples count as a failure",
        "release/evidence.py",
        "if self.verdict.word is Word.WORSE else None\n",
        "if self.verdict.word is Word.WORSE or self.missing else None\n",
        ("tests/shell/test_ways_to_fail.py::test_holds_and_blames_nobody",),
    ),
    Mutant(
        "M21",
        "old samples count as news",
        "release/reading.py",
        "    if age > allowed:\n",
        "    if age > 1e9:\n",
        (
            "tests/pure/release/test_reading.py::test_a_prometheus_that_stands_still_lets_nothing_rise_though_it_answers",
            "tests/pure/release/test_policies.py::test_a_release_ends_as_the_policy_says",
        ),
    ),
    Mutant(
        "M22",
        "the labels of the two subsets are exchanged",
        "traffic/destination_rule.py",
        "((STABLE, stable), (CANARY, canary))",
        "((STABLE, canary), (CANARY, stable))",
        ("good:2:before",),
    ),
    Mutant(
        "M23",
        "a counter that begins again counts backwards",
        "analysis/counters.py",
        "value - before if value >= before else value\n",
        "value - before\n",
        ("tests/pure/analysis/test_counters.py::test_a_falling_counter_adds_its_new_value",),
    ),
    Mutant(
        "M24",
        "a hold counts time without samples",
        "analysis/evidence.py",
        "return [each for each in scrape if each.length <= LONGEST_COVER and (each.both or apart or (full and each.canary_seen))]",
        "return list(scrape)",
        ("tests/pure/analysis/test_evidence.py::test_covers_the_time_of_both_arms",),
    ),
    Mutant(
        "M25",
        "a hold begins again at each checkpoint",
        "release/scene.py",
        "            observed_seconds=look.committed.covered,\n            baseline",
        "            observed_seconds=0,\n            baseline",
        ("tests/pure/release/test_restarts.py::test_a_long_hold_goes_on_where_the_last_process_left_it",),
    ),
    Mutant(
        "M27",
        "an action is never acknowledged",
        "release/actions.py",
        "_obey(text, spec, state, seen), replace(seen, last_action=text)\n",
        "_obey(text, spec, state, seen), seen\n",
        (f"{CRASHES}[aborted]", "abort:5:lost"),
    ),
    Mutant(
        "M28",
        "a process that was overtaken writes what it had decided",
        "routing.py",
        "    if last is not None and last.uid == mark.uid and (last.rank > mark.rank or (last.rank == mark.rank and last != mark)):\n",
        "    if False:\n",
        ("tests/shell/test_apply.py::test_a_later_mark_on_any_route_stops_the_pass",),
    ),
    Mutant(
        "M29",
        "watches that end are not started again",
        "watching.py",
        "                reason = error\n",
        "                reason = error\n                return\n",
        ("tests/shell/test_watching.py::test_watches_that_end_are_started_again_with_growing_pauses",),
    ),
    Mutant(
        "M30",
        "a fault in the pass of one CanaryRelease ends the worker",
        "workqueue.py",
        "            self._failed(key, error, delay)\n            return\n",
        "            self._failed(key, error, delay)\n            raise\n",
        ("tests/shell/test_workqueue.py::test_a_fault_in_one_pass_ends_neither_the_worker_nor_the_key",),
    ),
    Mutant(
        "M34",
        "redirects of Prometheus are followed",
        "clients/prometheus.py",
        "allow_redirects=False",
        "allow_redirects=True",
        ("tests/shell/test_prometheus.py::test_misbehaviour_is_a_failed_query_in_bounded_time",),
    ),
    Mutant(
        "M36",
        "an abort waits for Prometheus",
        "release/guards.py",
        "    if not scene.state.asked.abort or not running(scene.state) or scene.promoted:\n",
        "    if not scene.state.asked.abort or scene.look.missing or not running(scene.state) or scene.promoted:\n",
        (f"{CRASHES}[aborted blind]",),
    ),
    Mutant(
        "M37",
        "marks above the record are not believed",
        "release/decide.py",
        "believe(state, seen)",
        "state",
        ("forgotten:5:lost",),
    ),
    Mutant(
        "M39",
        "routing writes are not counted",
        "release/scene.py",
        "        return replace(self.state, seq=self.state.seq + 1)\n",
        "        return self.state\n",
        ("bad:2:after",),
    ),
    Mutant(
        "M40",
        "labels change while the weight 0 is still under way to the proxies",
        "release/homeward.py",
        "        left = remaining(route.since, drain, now)\n",
        "        left = timedelta(0)\n",
        (f"{CRASHES}[bad]",),
    ),
    Mutant(
        "M41",
        "the DestinationRule goes at once after the VirtualService",
        "release/deletion.py",
        "    left = remaining(seen.route_gone_since or seen.now, scene.spec.settle, seen.now)\n",
        "    left = None\n",
        ("tests/pure/release/test_deletion.py::test_the_next_step_of_a_deletion",),
    ),
    Mutant(
        "M42",
        "a canary may lose its pods as often as it likes",
        "release/guards.py",
        "        lost=scene.state.lost or lost,\n",
        "        lost=False,\n",
        ("lost:3:before",),
    ),
    Mutant(
        "M43",
        "that the canary lost its pods is forgotten in a crash between the drop and its record",
        "release/belief.py",
        "lost=state.lost or mark.decision == reasons.CANARY_LOST\n",
        "lost=state.lost\n",
        ("lost:7:lost",),
    ),
    Mutant(
        "M44",
        "the routing is written before the finalizer",
        "release/rest.py",
        "effects=(*finalizer, scene.relabel(state, reasons.ADOPTING, one, other))",
        "effects=(scene.relabel(state, reasons.ADOPTING, one, other), *finalizer)",
        ("adoption:1:after",),
    ),
    Mutant(
        "M46",
        "a weight is given to a canary without enough pods",
        "release/plan.py",
        "    return max(1, ceil(",
        "    return min(0, ceil(",
        (f"{DAYS}[2]",),
    ),
    Mutant(
        "M48",
        "of several attached routes only the first is written",
        "traffic/attached.py",
        "marked, *weights]",
        "marked, *weights[:2]]",
        ("attached:5:lost",),
    ),
    Mutant(
        "M49",
        "a canary that lost its weight goes on where it was",
        "release/guards.py",
        "        step=0,\n        weight=0,\n        lost=scene",
        "        lost=scene",
        (f"{GUARDS}::test_a_canary_that_lost_its_weight_begins_again_at_step_1",),
    ),
    Mutant(
        "M50",
        "only the VirtualService is given back when a CanaryRelease goes",
        "apply.py",
        "            await disown(DESTINATION_RULE, it.rule, hands)\n",
        "",
        ("deleted:8:lost",),
    ),
)
