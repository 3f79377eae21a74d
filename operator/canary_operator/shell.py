"""What a pass may use of the world; built once per process by `cli/run.py`."""

from collections.abc import Callable
from dataclasses import dataclass

from canary_operator.asker import Asker
from canary_operator.cache import Cache, Key
from canary_operator.clients.kubernetes import Cluster
from canary_operator.instrumentation import Metrics
from canary_operator.lister import Lister
from canary_operator.sampler import Sampler
from canary_operator.settings import Settings
from canary_operator.surroundings import Surroundings
from canary_operator.workqueue import Pass


@dataclass(frozen=True, slots=True)
class Shell:
    """The imperative shell, as one value."""

    cluster: Cluster
    cache: Cache
    sampler: Sampler
    asker: Asker
    surroundings: Surroundings
    lister: Lister
    metrics: Metrics
    settings: Settings
    wake: Callable[[Key], None]
    """Asks for a pass over a CanaryRelease."""
    rises_off: Callable[[], str | None] = lambda: None
    """Where the operator's configuration says `rises: false` now; None: it does not."""


Reconciler = Callable[[Shell], Pass]
"""Makes the pass; `reconcile.reconciler` is the one that counts."""
