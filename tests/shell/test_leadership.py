"""The Lease carried out: requests in virtual time against an API that compares and swaps, and the gate that every write passes."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from canary_operator.clients.errors import AlreadyExists, ClusterError, Conflict, Forbidden, NotFound, Unavailable
from canary_operator.clients.kinds import Kind
from canary_operator.leadership import Leadership
from canary_operator.lease import Timings
from tests.shell.virtual_time import now, run

T = Timings(15)


class Api:
    """One Lease."""

    def __init__(self) -> None:
        self.document: dict[str, Any] | None = None
        self.version = 0
        self.asked: list[tuple[float, str]] = []
        self.failing: Callable[[str], ClusterError | None] = lambda verb: None

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        await self._serve("get")
        if self.document is None:
            raise NotFound("no lease")
        return self.document

    async def create(self, kind: Kind, document: Mapping[str, Any]) -> dict[str, Any]:
        await self._serve("create")
        if self.document is not None:
            raise AlreadyExists("there is one")
        return self.store(dict(document["spec"]))

    async def merge_patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        await self._serve("patch")
        assert self.document is not None
        if body["metadata"]["resourceVersion"] != str(self.version):
            raise Conflict("it has changed")
        return self.store({**self.document["spec"], **body["spec"]})

    def store(self, spec: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        self.document = {"metadata": {"resourceVersion": str(self.version)}, "spec": spec}
        return self.document

    @property
    def holder(self) -> str | None:
        holder: str | None = (self.document or {"spec": {}})["spec"].get("holderIdentity")
        return holder

    async def _serve(self, verb: str) -> None:
        self.asked.append((now(), verb))
        await asyncio.sleep(0.01)
        if error := self.failing(verb):
            raise error


class Replica:
    def __init__(self, api: Api, name: str) -> None:
        self.told: list[tuple[float, bool]] = []
        self.restores: list[float] = []
        self.leadership = Leadership(
            api, name, "ops", "operator", T, told=lambda leads: self.told.append((now(), leads)),
            went_back=lambda: self.restores.append(now()),
            clock=lambda: asyncio.get_running_loop().time(), wall=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        )  # fmt: skip
        self.task = asyncio.create_task(self.leadership.run())

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def leave(self) -> None:
        await self.stop()
        await self.leadership.give_back()

    @property
    def leads(self) -> bool:
        return self.leadership.seconds_left() > 0


def play(story: Callable[[Api], Any]) -> None:
    async def main() -> None:
        await story(Api())

    run(main())


def test_one_of_two_leads_and_renews_every_third_of_the_lease() -> None:
    async def story(api: Api) -> None:
        one, two = Replica(api, "one"), Replica(api, "two")
        await asyncio.sleep(60)
        assert (one.leads, two.leads) in ((True, False), (False, True))
        assert len([at for at, verb in api.asked if verb == "patch"]) == 11
        assert len([at for at, verb in api.asked if verb == "get"]) <= 62, "the one that stands by looks once a second"

    play(story)


def test_a_lease_that_is_older_than_it_was_tells_of_a_restore_once_and_is_renewed_again() -> None:
    async def story(api: Api) -> None:
        one, two = Replica(api, "one"), Replica(api, "two")
        api.version = 1000
        await asyncio.sleep(20)
        assert not one.restores and not two.restores
        api.version = 40
        api.document = {"metadata": {"resourceVersion": "40"}, "spec": dict((api.document or {})["spec"])}
        await asyncio.sleep(20)
        assert len(one.restores) == len(two.restores) == 1
        assert one.leads or two.leads
        await asyncio.gather(one.stop(), two.stop())

    play(story)


def test_the_next_begins_when_the_lease_has_run_out() -> None:
    async def story(api: Api) -> None:
        one = Replica(api, "one")
        await asyncio.sleep(1)
        two = Replica(api, "two")
        await asyncio.sleep(30)
        await one.stop()
        died = now()
        await asyncio.sleep(20)
        assert two.leads and not one.leads
        assert two.told[-1][0] - died <= T.lease + 2

    play(story)


def test_the_next_begins_within_a_second_when_it_is_given_back() -> None:
    async def story(api: Api) -> None:
        one = Replica(api, "one")
        await asyncio.sleep(1)
        two = Replica(api, "two")
        await asyncio.sleep(30)
        left = now()
        await one.leave()
        assert api.holder is None
        await asyncio.sleep(5)
        assert two.told == [(pytest.approx(left + 0.6, abs=0.6), True)]

    play(story)


def test_it_is_given_back_though_a_renewal_was_on_its_way() -> None:
    async def story(api: Api) -> None:
        one = Replica(api, "one")
        await asyncio.sleep(1)
        await one.stop()
        assert api.document is not None
        api.store(api.document["spec"])
        await one.leadership.give_back()
        assert api.holder is None

    play(story)


def test_what_another_has_taken_is_not_given_back() -> None:
    async def story(api: Api) -> None:
        one = Replica(api, "one")
        await asyncio.sleep(1)
        await one.stop()
        api.store({"holderIdentity": "two", "leaseDurationSeconds": 15})
        await one.leadership.give_back()
        assert api.holder == "two"

    play(story)


def test_a_leader_without_the_api_stops_at_the_deadline_and_goes_on_when_it_is_back() -> None:
    async def story(api: Api) -> None:
        one = Replica(api, "one")
        await asyncio.sleep(7)
        api.failing = lambda verb: Unavailable("no answer")
        await asyncio.sleep(30)
        assert [leads for _, leads in one.told] == [True, False]
        renewed = max(at for at, verb in api.asked if verb == "patch" and at < 7)
        assert renewed + T.deadline <= one.told[-1][0] <= renewed + T.deadline + T.look + 0.1
        assert len(api.asked) < 45, "no more than about one request a second"
        api.failing = lambda verb: None
        await asyncio.sleep(2)
        assert one.leads

    play(story)


def test_nothing_may_be_written_after_the_deadline_even_if_nobody_looked_at_the_clock() -> None:
    async def story(api: Api) -> None:
        one = Replica(api, "one")
        await asyncio.sleep(1)
        await one.stop()
        await asyncio.sleep(T.deadline)
        assert one.told == [(pytest.approx(0.02, abs=0.01), True)]
        assert one.leadership.seconds_left() == 0

    play(story)


def test_a_write_whose_reply_was_lost_is_found_again() -> None:
    async def story(api: Api) -> None:
        lost = [True]

        async def patch(*arguments: Any) -> Any:
            stored = await Api.merge_patch(api, *arguments)
            if lost.pop():
                lost[:] = [False] * 1000
                raise Unavailable("the reply was lost")
            return stored

        api.merge_patch = patch  # type: ignore[method-assign]
        one = Replica(api, "one")
        await asyncio.sleep(60)
        assert one.told == [(pytest.approx(0.02, abs=0.01), True)]

    play(story)


@pytest.mark.parametrize("error", [Forbidden("no right"), NotFound("no namespace")], ids=["no right", "no namespace"])
def test_what_was_never_allowed_is_said(error: ClusterError) -> None:
    async def story(api: Api) -> None:
        api.failing = lambda verb: error if verb != "get" or isinstance(error, Forbidden) else None
        one = Replica(api, "one")
        with pytest.raises(type(error)):
            await asyncio.wait_for(one.task, 10)

    play(story)


def test_a_right_that_is_lost_later_ends_nothing_but_the_lead() -> None:
    async def story(api: Api) -> None:
        one = Replica(api, "one")
        await asyncio.sleep(1)
        api.failing = lambda verb: Forbidden("no right")
        await asyncio.sleep(60)
        assert not one.task.done() and not one.leads
        api.failing = lambda verb: None
        await asyncio.sleep(5)
        assert one.leads

    play(story)


def test_an_api_that_refuses_every_write_is_not_run_down() -> None:
    async def story(api: Api) -> None:
        api.failing = lambda verb: Conflict("always") if verb != "get" else None
        Replica(api, "one")
        await asyncio.sleep(60)
        assert len(api.asked) <= 130

    play(story)
