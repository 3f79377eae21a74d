"""What serves each version, over all kinds of endpoints and owners."""

from typing import Any

import pytest

from canary_operator.workloads.model import Endpoint, Pod, Workload
from canary_operator.workloads.source import Behind
from canary_operator.workloads.version_label import ByVersionLabel
from tests.pure.workloads.objects import at, elsewhere, pod, replica_set, survey

STS = ("StatefulSet", "db")
OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("endpoints", "sets", "pods", "expected"),
    [
        pytest.param(
            [at("web-v1-abc-11111"), at("web-v1-abc-22222", ready=False)],
            [replica_set("web-v1-abc", "v1")],
            [],
            {"v1": ("v1@abc", ("web-v1",), 1, 0, 2)},
            id="a Deployment: told by names, at no cost",
        ),
        pytest.param(
            [at("web-v1-abc-11111")],
            [replica_set("web-v1-abc", "v1", owner="Rollout")],
            [],
            {"v1": ("v1@abc", ("web-v1",), 1, 0, 2)},
            id="a Rollout of Argo's has ReplicaSets too",
        ),
        pytest.param(
            [at("web-v1-abc-11111")],
            [replica_set("web-v1-abc", "v1", of="")],
            [],
            {"v1": ("v1@abc", ("web-v1-abc",), 1, 0, 2)},
            id="a ReplicaSet of nobody's",
        ),
        pytest.param(
            [at("db-0"), at("db-1", ready=False)],
            [],
            [pod("db-0", "v1", STS, "db-7c4d"), pod("db-1", "v1", STS, "db-7c4d")],
            {"v1": ("v1@7c4d", ("db",), 1, 0, 2)},
            id="a StatefulSet",
        ),
        pytest.param(
            [at("agent-abcde")],
            [],
            [pod("agent-abcde", "v1", ("DaemonSet", "agent"), "6b8f")],
            {"v1": ("v1@6b8f", ("agent",), 1, 0, 1)},
            id="a DaemonSet",
        ),
        pytest.param(
            [at("clone-x7k2p")],
            [],
            [pod("clone-x7k2p", "v1", ("CloneSet", "clone"), "clone-54d", generated=True)],
            {"v1": ("v1@54d", ("clone",), 1, 0, 1)},
            id="a CloneSet",
        ),
        pytest.param(
            [at("game-0")],
            [],
            [pod("game-0", "v1", ("GameServer", "game"), generated=False)],
            {"v1": ("v1@pods", ("game-0",), 1, 0, 1)},
            id="an owner that names its pods itself: Istio calls the workload after the pod",
        ),
        pytest.param(
            [at("debug")],
            [],
            [pod("debug", "v1")],
            {"v1": ("v1@pods", ("debug",), 1, 0, 1)},
            id="a bare pod alone",
        ),
        pytest.param(
            [at("web-v2-abc-11111"), at("debug")],
            [replica_set("web-v2-abc", "v2")],
            [pod("debug", "v2")],
            {"v2": ("v2@abc", ("debug", "web-v2"), 2, 0, 3)},
            id="a bare pod beside a Deployment: counted, and no new revision",
        ),
        pytest.param(
            [at("far-v1-abc-11111")],
            [],
            [pod("far-v1-abc-11111", "v1", ("ReplicaSet", "far-v1-abc"), "abc", key="pod-template-hash")],
            {"v1": ("v1@abc", ("far-v1",), 1, 0, 1)},
            id="a pod of a ReplicaSet that the Service does not select",
        ),
        pytest.param(
            [at("db-0")],
            [],
            [pod("db-0", "v1", STS, "db-7c4d", **{"service.istio.io/workload-name": "store"})],
            {"v1": ("v1@7c4d", ("db", "store"), 1, 0, 1)},
            id="a workload name of one's own",
        ),
        pytest.param(
            [at("web-v1-abc-11111")],
            [replica_set("web-v1-abc", "v1", labels={"service.istio.io/workload-name": "store"})],
            [],
            {"v1": ("v1@abc", ("store", "web-v1"), 1, 0, 2)},
            id="a workload name of one's own in a template",
        ),
    ],
)
def test_what_serves_whatever_owns_it(
    endpoints: list[Endpoint], sets: list[dict[str, Any]], pods: list[Pod], expected: dict[str, tuple[object, ...]]
) -> None:
    found = survey(endpoints, sets=sets, pods=pods)
    assert {
        version: (each.revision, each.workloads, each.ready, each.old, each.desired) for version, each in found.versions.items()
    } == expected
    assert (found.strangers, found.unknown) == ((), ())


@pytest.mark.parametrize(
    ("endpoints", "sets", "pods", "ready", "old", "revision"),
    [
        pytest.param(
            [at("web-aaa-11111"), at("web-bbb-22222")],
            [replica_set("web-aaa", "v1", number=1), replica_set("web-bbb", "v1", number=2, replicas=1)],
            [],
            1,
            1,
            "v1@bbb",
            id="a Deployment in its rollout, or a paused one",
        ),
        pytest.param(
            [at("web-aaa-11111")],
            [replica_set("web-aaa", "v1", number=1), replica_set("web-bbb", "v1", number=2)],
            [],
            0,
            1,
            "v1@bbb",
            id="its first new pod is not ready yet",
        ),
        pytest.param(
            [at("web-aaa-11111"), at("web-bbb-22222")],
            [replica_set("web-aaa", "v1", number=3, replicas=1), replica_set("web-bbb", "v1", number=2)],
            [],
            1,
            1,
            "v1@aaa",
            id="a rollout that was undone",
        ),
        pytest.param(
            [at("db-0"), at("db-1")],
            [],
            [pod("db-0", "v1", STS, "db-old", created=OLD), pod("db-1", "v1", STS, "db-new", created=NEW)],
            1,
            1,
            "v1@new",
            id="a StatefulSet in its rollout",
        ),
        pytest.param(
            [at("db-0"), at("db-1"), at("db-2")],
            [],
            [
                pod("db-0", "v1", STS, "db-old", created=OLD),
                pod("db-1", "v1", STS, "db-old", created="2026-01-03T00:00:00Z"),
                pod("db-2", "v1", STS, "db-new", created=NEW),
            ],
            1,
            2,
            "v1@new",
            id="an old pod that was made again behind the partition",
        ),
        pytest.param(
            [at("web-aaa-11111"), at("web-bbb-22222"), at("orphan")],
            [replica_set("web-bbb", "v1", number=2)],
            [pod("orphan", "v1", None, "aaa", key="pod-template-hash"), pod("web-aaa-11111", "v1", None, "bbb", key="pod-template-hash")],
            2,
            1,
            "v1@bbb",
            id="a pod that was taken away from its ReplicaSet, of an older template",
        ),
    ],
)
def test_ready_counts_the_newest_template(
    endpoints: list[Endpoint], sets: list[dict[str, Any]], pods: list[Pod], ready: int, old: int, revision: str
) -> None:
    found = survey(endpoints, sets=sets, pods=pods).versions["v1"]
    assert (found.ready, found.old, found.endpoints, found.revision) == (ready, old, ready + old, revision)


# ---------------------------------------------------------------------------------------------------- several workloads of one version
SPOT, ON_DEMAND = replica_set("spot-aaa", "v2", number=7), replica_set("demand-bbb", "v2", number=1)


def test_several_workloads_of_a_version_are_one_revision_and_all_are_named() -> None:
    found = survey([at("spot-aaa-11111"), at("demand-bbb-22222")], sets=[SPOT, ON_DEMAND]).versions["v2"]
    assert (found.ready, found.old, found.workloads) == (2, 0, ("demand", "spot"))
    assert found.revision == survey([], sets=[ON_DEMAND, SPOT]).versions["v2"].revision, "in whatever order, ready or not"


@pytest.mark.parametrize("changed", [replica_set("spot-ccc", "v2", number=8), replica_set("demand-ccc", "v2", number=2)])
def test_a_new_template_of_any_of_them_is_a_new_revision(changed: dict[str, Any]) -> None:
    before = survey([], sets=[SPOT, ON_DEMAND]).versions["v2"].revision
    assert survey([], sets=[SPOT, ON_DEMAND, changed]).versions["v2"].revision != before


def test_scaling_one_of_them_to_nothing_is_no_new_revision() -> None:
    idle = replica_set("spot-aaa", "v2", number=7, replicas=0)
    found = survey([at("demand-bbb-22222")], sets=[idle, ON_DEMAND]).versions["v2"]
    assert found.revision == survey([], sets=[SPOT, ON_DEMAND]).versions["v2"].revision
    assert found.workloads == ("demand",)


def test_a_deployment_that_went_over_to_another_version_is_no_part_of_the_one_it_left() -> None:
    left = [replica_set("web-aaa", "v1", number=1, replicas=0), replica_set("web-bbb", "v2", number=2)]
    assert survey([], sets=[*left, replica_set("other-ccc", "v1")]).versions["v1"].revision == "v1@ccc"
    assert survey([], sets=left).versions["v1"].revision == "v1@aaa", "unless nothing else is left of it"


def test_a_stateful_set_and_a_deployment_of_one_version_are_one_revision() -> None:
    pods = [pod("db-0", "v2", STS, "db-7c4d")]
    found = survey([at("db-0"), at("spot-aaa-11111")], sets=[SPOT], pods=pods).versions["v2"]
    assert (found.ready, found.workloads, found.desired) == (2, ("db", "spot"), 3)
    assert found.revision not in ("v2@aaa", "v2@7c4d")


# -------------------------------------------------------------------------------------------------- what belongs to no version, or may
def test_what_is_no_pod_belongs_to_no_version() -> None:
    found = survey([elsewhere("10.9.9.9"), elsewhere("10.9.9.8", "WorkloadEntry", "vm-8"), elsewhere("10.9.9.7", ready=False)])
    assert [each.endpoint.address for each in found.strangers] == ["10.9.9.9", "10.9.9.8"]
    assert (found.versions, found.unknown) == ({}, ())


@pytest.mark.parametrize(
    ("stranger", "workload"),
    [
        pytest.param(pod("debug"), Workload("Pod", "debug"), id="a bare pod"),
        pytest.param(pod("db-0", owner=STS), Workload("StatefulSet", "db"), id="of a StatefulSet"),
        pytest.param(
            pod("x-abc-11111", None, ("ReplicaSet", "x-abc"), "abc", key="pod-template-hash"),
            Workload("Deployment", "x"),
            id="of a Deployment",
        ),
        pytest.param(
            pod("x-abc-11111", None, ("ReplicaSet", "x-abc"), "abc", key="rollouts-pod-template-hash"),
            Workload("Rollout", "x"),
            id="of a Rollout",
        ),
    ],
)
def test_a_pod_without_the_label_belongs_to_no_version(stranger: Pod, workload: Workload) -> None:
    (found,) = survey([at(stranger.name)], pods=[stranger]).strangers
    assert (found.pod, found.workload) == (stranger, workload)


def test_pods_of_a_template_without_the_label_belong_to_no_version() -> None:
    (found,) = survey([at("web-abc-11111")], sets=[replica_set("web-abc", None)]).strangers
    assert (found.pod, found.workload) == (None, Workload("Deployment", "web"))


def test_a_pod_whose_name_tells_nothing_must_be_read_ready_or_not() -> None:
    found = survey([at("db-0", uid="1"), at("db-1", ready=False), at("db-2", ready=False, leaving=True)], sets=[SPOT])
    assert [each.name for each in found.unknown] == ["db-0", "db-1"]
    assert found.unknown_ready == 1


def test_a_pod_of_the_same_name_is_another_pod() -> None:
    found = survey([at("db-0", uid="2")], pods=[pod("db-0", "v1", STS, "db-7c4d", uid="1")])
    assert [each.uid for each in found.unknown] == ["2"]


def test_an_endpoint_whose_pod_does_not_exist_serves_nothing() -> None:
    assert survey_absent("db-0") == survey([])


def survey_absent(name: str) -> object:
    return ByVersionLabel("version").survey(Behind([at(name)], [], {(name, ""): None}))


def test_a_pod_counts_for_what_its_own_labels_say_once_they_are_known() -> None:
    quarantined = pod("spot-aaa-11111", "debug")
    found = survey([at("spot-aaa-11111"), at("spot-aaa-22222")], sets=[SPOT], pods=[quarantined]).versions
    assert {version: each.ready for version, each in found.items()} == {"v2": 1, "debug": 1}


@pytest.mark.parametrize("wanting", [1, 2])
def test_names_that_kubernetes_cut_alike_must_be_read_where_several_want_pods(wanting: int) -> None:
    long = "x" * 60
    sets = [replica_set(f"{long}-v1", "v1"), replica_set(f"{long}-v2", "v2", replicas=wanting - 1)]
    found = survey([at(f"{long}"[:58] + "abcde")], sets=sets)
    assert (len(found.unknown), found.versions["v1"].ready) == ((1, 0) if wanting == 2 else (0, 1))


def test_an_endpoint_in_two_slices_or_of_two_families_counts_once() -> None:
    six = at("spot-aaa-11111")._replace(address="fd00::1")
    found = survey([at("spot-aaa-11111", ready=False), six, six, elsewhere("10.1.1.1"), elsewhere("10.1.1.1")], sets=[SPOT])
    assert (found.versions["v2"].ready, len(found.strangers)) == (1, 1)


@pytest.mark.parametrize(
    ("owner", "told"),
    [
        pytest.param(("ReplicaSet", "web-v1-abc"), True, id="a ReplicaSet that is gone asks for no pod"),
        pytest.param(STS, False, id="of another owner nobody reads how many it asks for"),
        pytest.param(None, False, id="nobody asks for a bare pod"),
    ],
)
def test_pods_whose_replica_set_is_gone_are_asked_for_by_nobody(owner: tuple[str, str] | None, told: bool) -> None:
    leaving = pod("web-v1-abc-11111", "v1", owner)._replace(leaving=True)
    serving = survey([at("web-v1-abc-11111", leaving=True)], pods=[leaving]).versions["v1"]
    assert (serving.told, serving.desired) == (told, 0)
