"""docs/blocked.md: what a user sees of each mistake, as the lab showed it, and what was done to mend it."""

import re
from collections.abc import Sequence

from tests.mesh.article import Mistake

_HEAD = """<!-- Written by a run of tests/mesh/test_article.py with BLOCKED=docs/blocked.md; the namespaces are those of that run. -->

# Blocked and warned: what you see, and what mends it

`kubectl describe canaryrelease reviews` shows a finding as reason and message of the status (the phase is `Blocked`, and no traffic
moves), or under `Warnings` (the release goes on). What is watched is seen at once when it is mended; what is not (namespaces, pods,
gateways, PeerAuthentications) within a minute. [runbook.md](runbook.md) lists every reason.

Objects of other namespaces block only if they were there before the release's own and reach callers elsewhere; what a namespace does to its
own callers is a warning that names it. Who can cause which finding: [adr/0060](adr/0060-whose-objects-block.md).
"""


def page(mistakes: Sequence[Mistake]) -> str:
    """The whole page, in the order of the mistakes."""
    return "\n".join([_HEAD, *(_entry(mistake) for mistake in mistakes)])


def _entry(mistake: Mistake) -> str:
    message = re.sub(r"article-\d+", "shop", mistake.message)
    does = "warns" if mistake.warns else "blocks"
    return f"## {mistake.title}\n\n`{mistake.reason}`, {does}:\n\n> {message}\n\nMended: {mistake.mended}.\n"
