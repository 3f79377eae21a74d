"""The proxies: when they obey a route or subsets that were written. At once, unless they are given a reaction time."""

from collections import deque
from dataclasses import dataclass, field, replace

from canary_operator.simulation.objects import Route, Stored, Subsets, tick

Routing = tuple[Route | None, Subsets | None]


@dataclass(slots=True)
class Proxies:
    """What the proxies route by."""

    reaction: float = 0.0
    """Seconds from a write until every proxy obeys it."""
    _obeyed: Routing | None = None
    _heard: deque[tuple[float, Routing]] = field(default_factory=deque)
    """What was written and is not obeyed yet, with the time at which it is, Unix seconds."""

    @property
    def due(self) -> float:
        """When they obey the next write, Unix seconds."""
        return self._heard[0][0] if self._heard else float("inf")

    def hear(self, stored: Stored, now: float) -> None:
        """The routing stands like this now."""
        if not self.reaction:
            return
        while self._heard and self._heard[0][0] <= now:
            self._obeyed = self._heard.popleft()[1]
        routing = stored.route, stored.subsets
        newest = self._heard[-1][1] if self._heard else self._obeyed
        if newest is None:
            self._obeyed = routing
        elif routing != newest:
            self._heard.append((tick(now + self.reaction), routing))

    def obeyed(self, stored: Stored) -> Stored:
        """The world as the proxies see it."""
        if self._obeyed is None:
            return stored
        route, subsets = self._obeyed
        same = (route is stored.route or route == stored.route) and (subsets is stored.subsets or subsets == stored.subsets)
        return stored if same else replace(stored, route=route, subsets=subsets)
