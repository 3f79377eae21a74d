"""`rises` in the configuration file is read again while the operator runs; nothing that is wrong in the file changes anything."""

import logging
from pathlib import Path

import pytest

from canary_operator.instrumentation import Metrics
from canary_operator.settings import assemble
from canary_operator.switch import Switch

PLAIN = "prometheus: {default: {url: 'http://prometheus:9090'}}\n"
OFF = PLAIN + "rises: false\n"


class Place:
    def __init__(self, directory: Path, text: str) -> None:
        """As a ConfigMap is mounted: the file is a link into a directory that is a link itself."""
        self.directory, self.number = directory, 0
        (directory / "config.yaml").symlink_to("..data/config.yaml")
        self.write(text)
        self.metrics, self.changes = Metrics(), 0
        self.switch = Switch(assemble(str(directory / "config.yaml")), self.metrics, self._changed)

    def write(self, text: str) -> None:
        self.number += 1
        fresh = self.directory / f"..{self.number}"
        fresh.mkdir()
        (fresh / "config.yaml").write_text(text)
        (self.directory / "..new").symlink_to(fresh.name)
        (self.directory / "..new").replace(self.directory / "..data")

    def _changed(self) -> None:
        self.changes += 1

    @property
    def shown(self) -> float | None:
        return self.metrics.registry.get_sample_value("canary_operator_rises")


async def test_it_is_switched_off_and_on_again_without_a_restart(tmp_path: Path) -> None:
    place = Place(tmp_path, PLAIN)
    await place.switch.look()
    assert (place.switch.off(), place.changes, place.shown) == (None, 0, 1)

    place.write(OFF)
    await place.switch.look()
    assert (place.switch.off(), place.changes, place.shown) == (str(tmp_path / "config.yaml"), 1, 0)
    await place.switch.look()
    assert place.changes == 1

    place.write(PLAIN)
    await place.switch.look()
    assert (place.switch.off(), place.changes, place.shown) == (None, 2, 1)


async def test_an_operator_that_starts_with_it_off_holds_from_the_first_pass(tmp_path: Path) -> None:
    place = Place(tmp_path, OFF)
    assert (place.switch.off() is not None, place.shown) == (True, 0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rises: maybe", "rises: must be true or false"),
        ("rises: [", "no valid YAML"),
        ("raises: true", "raises: unknown"),
        ("rises: 'true'", "rises: must be true or false"),
    ],
)
async def test_what_is_wrong_is_said_once_and_what_was_read_before_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, why: str
) -> None:
    place = Place(tmp_path, OFF)
    await place.switch.look()
    caplog.clear()
    with caplog.at_level(logging.WARNING, "canary_operator"):
        place.write(text)
        for _ in range(3):
            await place.switch.look()

    assert place.switch.off() is not None and place.changes == 0
    assert [why in str(getattr(record, "fields", {}).get("why")) for record in caplog.records] == [True]


async def test_a_file_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path, OFF)
    (tmp_path / "..data").unlink()
    await place.switch.look()
    assert place.switch.off() is not None and place.changes == 0

    place.write(PLAIN)
    await place.switch.look()
    assert place.switch.off() is None


async def test_other_keys_are_not_read_again_and_the_log_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = Place(tmp_path, PLAIN)
    await place.switch.look()
    with caplog.at_level(logging.WARNING, "canary_operator"):
        place.write(OFF + "workers: 2\n")
        await place.switch.look()
    assert place.switch.off() is not None
    assert any("only `rises` is read again" in record.message for record in caplog.records)


async def test_without_a_file_there_is_nothing_to_look_at() -> None:
    switch = Switch(assemble(prometheus="http://prometheus:9090"), Metrics(), lambda: None)
    await switch.follow()
    assert switch.off() is None
