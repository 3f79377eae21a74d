"""After a restore of etcd nothing is concluded from a cache of which some is of before it and some of after."""

from datetime import timedelta

from canary_operator.cache import Cache
from canary_operator.clients.kinds import SERVICE
from tests.shell.test_refusals import KEY, Place
from tests.shell.virtual_time import run


def test_no_pass_is_made_until_everything_was_listed_anew() -> None:
    place = Place()
    place.act("abort/1/1")
    place.cache.note_restore()
    before = list(place.memory.requests)

    async def story() -> None:
        again = await place.look(KEY)
        assert again is not None and timedelta(0) < again <= timedelta(seconds=1)
        assert place.memory.requests == before, "nothing is written or read"
        place.cache.went_back = False  # as `Intake.seek` does
        await place.look(KEY)

    run(story())
    assert place.status["lastAction"] == "abort/1/1"


def test_what_vanished_by_a_restore_or_was_deleted_before_it_is_seen_when_it_is_made_again() -> None:
    def at(name: str, version: int) -> dict[str, object]:
        return {"metadata": {"namespace": "shop", "name": name, "resourceVersion": str(version)}, "spec": {}}

    cache = Cache()
    cache.store(SERVICE, at("vanished", 900))
    cache.remove(SERVICE, at("deleted", 950))
    restored = cache.listing(SERVICE)
    restored.take([], "300")
    restored.end()
    assert cache.get(SERVICE, "shop", "vanished") is None

    cache.store(SERVICE, at("vanished", 310))
    cache.store(SERVICE, at("deleted", 311))
    assert cache.get(SERVICE, "shop", "vanished") and cache.get(SERVICE, "shop", "deleted")
