"""An object that is read afresh: what the read says holds, also when it is older than what was known."""

from typing import Any

from canary_operator.cache import Cache, Key
from canary_operator.clients.kinds import CANARY_RELEASE
from canary_operator.hands import Hands, read_again
from tests.shell.memory import Memory

KEY = Key("shop", "reviews")


def release(version: str, number: int | None = None) -> dict[str, Any]:
    metadata = {"namespace": "shop", "name": "reviews"} | ({"resourceVersion": str(number)} if number else {})
    return {"metadata": metadata, "spec": {"service": {"name": "reviews"}, "version": version}}


async def test_a_read_that_shows_an_older_state_replaces_what_was_known_and_says_so() -> None:
    cluster, cache, woken = Memory(), Cache(), set[Key]()
    cluster.put(CANARY_RELEASE, release("v1"))
    cache.store(CANARY_RELEASE, release("v2", 900))
    assert await read_again(CANARY_RELEASE, KEY, Hands(cluster, cache, woken.update))  # type: ignore[arg-type]
    found = cache.get(CANARY_RELEASE, *KEY)
    assert found is not None and (found["spec"]["version"], found["metadata"]["resourceVersion"]) == ("v1", "1")
    assert cache.went_back and woken == {KEY}


async def test_a_read_that_shows_a_newer_state_is_nothing_strange() -> None:
    cluster, cache = Memory(), Cache()
    cluster.put(CANARY_RELEASE, release("v1"))
    cache.store(CANARY_RELEASE, cluster.put(CANARY_RELEASE, release("v1")))
    cluster.put(CANARY_RELEASE, release("v2"))
    assert await read_again(CANARY_RELEASE, KEY, Hands(cluster, cache))  # type: ignore[arg-type]
    assert not cache.went_back
