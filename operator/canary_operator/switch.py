"""The switch for the whole operator: `rises` in the configuration file, read again while it runs. Holds a value; decides nothing.

A ConfigMap that is mounted changes by a symbolic link, which no watch on the file itself notices, so its content is read every few seconds. A file
that is gone or wrong changes nothing: what was read last counts, and the log says why.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from canary_operator.instrumentation import Metrics, log
from canary_operator.settings import Settings, SettingsError, load

EVERY = 3.0
"""Seconds between two looks at the file."""


class Switch:
    """Whether anything may go forward.

    Args:
        settings: As the process was started with.
        metrics: Shows the switch.
        changed: Called after each change.
    """

    def __init__(self, settings: Settings, metrics: Metrics, changed: Callable[[], None]) -> None:
        self._settings, self._metrics, self._changed = settings, metrics, changed
        self._text: str | None = None
        self._read = settings
        self._trouble: str | None = None
        self._set(settings.rises)

    def off(self) -> str | None:
        """The file that says `rises: false`; None: weights may rise."""
        return None if self._on else self._settings.config or "started without a file"

    async def follow(self) -> None:
        """Looks at the file until it is cancelled."""
        while self._settings.config is not None:
            await asyncio.sleep(EVERY)
            await self.look()

    async def look(self) -> None:
        """Looks once."""
        try:
            text = await asyncio.get_running_loop().run_in_executor(None, self._content)
            if text != self._text:
                self._take(load(text))
                self._text = text
            self._trouble = None
        except (OSError, UnicodeDecodeError, SettingsError) as error:
            self._complain(str(error))

    def _content(self) -> str:
        return Path(self._settings.config or "").read_text(encoding="utf-8")

    def _take(self, settings: Settings) -> None:
        if self._text is not None and replace(settings, rises=self._read.rises) != self._read:
            log(logging.WARNING, "of the configuration only `rises` is read again; restart the operator for the rest")
        self._read = settings
        if settings.rises != self._on:
            self._set(settings.rises)
            self._changed()

    def _set(self, on: bool) -> None:
        self._on = on
        self._metrics.rises.set(on)
        if not on:
            log(logging.WARNING, "rises are off: nothing goes forward until the configuration says `rises: true`", file=self.off())
        elif self._text is not None:
            log(logging.INFO, "rises are on again", file=self._settings.config)

    def _complain(self, why: str) -> None:
        """Once for each thing that is wrong."""
        if why != self._trouble:
            self._trouble = why
            log(logging.WARNING, "the configuration file cannot be used; what was read before counts", file=self._settings.config, why=why)
