"""What is broken, and which test notices. The numbers M1 to M36 are those of a list that was drawn up before the tests were."""

from tests.exam.decisions import DECISIONS
from tests.exam.mutant import Mutant

PAUSED = "tests/faults/test_paused_process.py"

SHELL = (
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
        "    route = {key: value for key, value in route.items() if key not in _INSTEAD_OF_A_ROUTE}\n",
        '    route = {"name": managed.name, "route": route.get("route") or []}\n',
        ("reset:7:lost",),
    ),
    Mutant(
        "M15",
        "a user's other routes are lost",
        "traffic/virtual_service.py",
        "        routes[index] = _weighted(routes[index], managed, canary, mirror)\n",
        "        routes[:] = [_weighted(routes[index], managed, canary, mirror)]\n",
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
        "M22",
        "the labels of the two subsets are exchanged",
        "traffic/destination_rule.py",
        "((STABLE, stable), (CANARY, canary))",
        "((STABLE, canary), (CANARY, stable))",
        ("good:2:before",),
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
        "M48",
        "of several attached routes only the first is written",
        "traffic/attached.py",
        "mark, *weights]",
        "mark, *weights[:2]]",
        ("attached:5:lost",),
    ),
    Mutant(
        "M50",
        "only the VirtualService is given back when a CanaryRelease goes",
        "apply.py",
        "            await disown(DESTINATION_RULE, it.rule, it.key.name, hands)\n",
        "",
        ("deleted:8:lost",),
    ),
)
"""What is broken in what reads and writes."""
MUTANTS = tuple(sorted(DECISIONS + SHELL, key=lambda mutant: int(mutant.name.removeprefix("M"))))
