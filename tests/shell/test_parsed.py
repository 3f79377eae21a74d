"""Specs and statuses are validated once for each content, for the CanaryReleases that were looked at lately."""

from collections import Counter
from typing import Any

from canary_operator.parsed import _SPEC, _STATUS, MOST, Parsed


class Counting:
    """Counts what is validated."""

    def __init__(self) -> None:
        self.many: Counter[str] = Counter()
        self.parsed = Parsed(lambda written: self._count("spec", _SPEC, written), lambda stored: self._count("status", _STATUS, stored))

    def _count(self, what: str, types: Any, content: Any) -> Any:
        self.many[what] += 1
        return types.validate_python(content)

    def look(self, name: str = "reviews", version: str = "v1", **status: Any) -> Any:
        """As each part of a pass does it, on a document that was just read."""
        spec = {"service": {"name": name}, "version": version}
        return self.parsed.of(("shop", name), {"spec": spec, "status": status} if status else {"spec": spec})


def test_what_has_not_changed_is_validated_once() -> None:
    it = Counting()
    seen = [it.look(observedGeneration=1) for _ in range(5)]
    assert it.many == {"spec": 1, "status": 1}
    assert all(each == seen[0] for each in seen)


def test_a_status_that_was_written_leaves_the_spec_as_it_was_read() -> None:
    it = Counting()
    for generation in range(1, 6):
        _, status = it.look(observedGeneration=generation)
        assert status.observed_generation == generation
    assert it.many == {"spec": 1, "status": 5}


def test_an_edited_spec_is_read_anew() -> None:
    it = Counting()
    assert [it.look(version=version)[0].version for version in ("v1", "v2", "v1")] == ["v1", "v2", "v1"]
    assert it.many["spec"] == 3


def test_it_keeps_no_more_than_the_latest() -> None:
    it = Counting()
    for number in range(MOST + 1):
        it.look(f"app-{number}")
    it.look("app-1")
    assert it.many["spec"] == MOST + 1
    it.look("app-0")
    assert it.many["spec"] == MOST + 2
    assert len(it.parsed._entries) == MOST
