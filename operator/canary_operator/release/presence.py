"""For how long each version has had ready endpoints or none. Keeps what a process has seen; is told the time, and decides nothing."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from canary_operator.release.model import Presence
from canary_operator.workloads.model import Serving

LATELY = timedelta(minutes=10)
"""So far back the most ready endpoints of a version are known."""
_WINDOW = LATELY.total_seconds()


@dataclass(slots=True)
class _Version:
    began: float
    """When it was first looked at, seconds."""
    up: bool
    since: float
    told: bool = False
    counts: deque[tuple[float, int]] = field(default_factory=deque)
    """How many were ready, each from this time on, oldest first; the counts fall, since a smaller one before a larger one is the most of nothing."""

    def see(self, ready: int, now: float) -> None:
        if (ready > 0) != self.up:
            self.up, self.since = ready > 0, now
        while len(self.counts) > 1 and self.counts[1][0] <= now - _WINDOW:
            self.counts.popleft()
        began = now
        while self.counts and self.counts[-1][1] <= ready:
            began = self.counts.pop()[0]
        self.counts.append((began, ready))


@dataclass(slots=True)
class Presences:
    """What one process has seen of all CanaryReleases."""

    _seen: dict[Hashable, dict[str, _Version]] = field(default_factory=dict)

    def look(
        self,
        key: Hashable,
        versions: Mapping[str, Serving] | None,
        now: float,
        when: Callable[[float], datetime],
        also: Iterable[str] = (),
    ) -> Mapping[str, Presence]:
        """Takes in how many endpoints are ready now, and says what is known of each version.

        Args:
            key: The CanaryRelease.
            versions: Per version, what serves; None: the Service is missing, so nothing is known of any.
            now: Seconds of a clock that never goes back.
            when: The time of day of such seconds.
            also: Further versions that are watched, whether anything is there of them or not.
        """
        if versions is None:
            self.forget(key)
            return {}
        known = self._seen.setdefault(key, {})
        watched = frozenset(filter(None, also))
        for version in {*known, *versions, *watched}:
            ready = versions[version].endpoints if version in versions else 0
            if version not in known:
                known[version] = _Version(now, ready > 0, now)
            known[version].see(ready, now)
            if version in versions:
                known[version].told = versions[version].told
            elif version not in watched and now - known[version].since > _WINDOW:
                del known[version]  # gone for long: that it is missing says as much
        return {
            version: Presence(when(each.since), each.counts[0][1], now - each.began >= _WINDOW, each.told)
            for version, each in sorted(known.items())
        }

    def forget(self, key: Hashable) -> None:
        """The CanaryRelease, or its Service, is gone."""
        self._seen.pop(key, None)
