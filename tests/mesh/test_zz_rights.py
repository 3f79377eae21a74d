"""The ServiceAccount has the rights that are used, and no others. Runs last: it asks what all other tests of this folder have used."""

from pathlib import Path

import yaml

from lab import Lab
from lab.operator import ACCOUNT, AGENT, USER, Operator

AFTER_A_REFUSED_WRITE = {("virtualservices", "get"), ("canaryreleases", "get")}
"""Used when a write met another editor's, or a route is newer than its record: tests/faults makes that happen."""


def granted() -> set[tuple[str, str]]:
    documents = yaml.safe_load_all(Path("deploy/install.yaml").read_text())
    roles = [each for each in documents if each and each["kind"] in ("ClusterRole", "Role") and each["metadata"]["name"] == ACCOUNT]
    return {(resource, verb) for role in roles for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}


def test_every_right_is_used_and_none_is_missing(lab: Lab, operator: Operator) -> None:
    requests = lab.audit.requests(user=USER)
    used = {("/".join(filter(None, (each.resource, each.subresource))), each.verb) for each in requests if each.resource}
    assert not [each for each in requests if each.code == 403]
    assert granted() - used <= AFTER_A_REFUSED_WRITE
    assert not any(resource == "secrets" for resource, _ in granted())


def test_every_request_says_who_it_is(lab: Lab, operator: Operator) -> None:
    agents = {each.user_agent.partition("/")[0] for each in lab.audit.requests(user=USER)}
    assert agents <= {AGENT, "kopf"}
