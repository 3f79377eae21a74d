"""The kubelet stand-in as a part; what it does is in `lab.kubelet`."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.addresses import NODE
from lab.api import Api
from lab.part import Part
from lab.parts.api_server import ApiServer

ROOT = Path(__file__).parents[2]


class Kubelet(Part):
    """Its backends outlive it, as containers outlive a kubelet; a restarted one takes them over. They end with the lab: see `lifeline`."""

    name = "kubelet"

    def __init__(self, directory: Path, api_server: ApiServer, lifeline: int) -> None:
        """The part, not started yet.

        Args:
            directory: The lab's.
            api_server: Whose pods it runs.
            lifeline: The reading end of a pipe that only the lab's own process can write to: it ends when the lab does, however that is.
        """
        super().__init__(directory)
        self._api_server = api_server
        self._lifeline = lifeline

    def command(self) -> Sequence[str | Path]:
        """A Python process."""
        return [sys.executable, "-m", "lab.kubelet", self.directory]

    def environment(self) -> Mapping[str, str]:
        """So that it finds this package."""
        return {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}

    def standard_input(self) -> int:
        """The lifeline, which its backends inherit."""
        return self._lifeline

    def is_ready(self) -> bool:
        """It watches pods: the marker is written after its first list, and removed by it at the start."""
        marker = self.directory / "kubelet.pid"
        return marker.exists() and marker.read_text() == str(self.pid) and self._node_exists(self._api_server.api)

    def _node_exists(self, api: Api) -> bool:
        return api.exists(f"/api/v1/nodes/{NODE}")
