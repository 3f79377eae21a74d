"""etcd: the cluster's store."""

from collections.abc import Sequence
from pathlib import Path

from lab import programs
from lab.addresses import ETCD_PORT
from lab.part import Part, answers


class Etcd(Part):
    """One member; it does not wait for the disk."""

    name = "etcd"

    def command(self) -> Sequence[str | Path]:
        """Keeps its data over a restart."""
        url = f"http://127.0.0.1:{ETCD_PORT}"
        return [
            programs.path(programs.ETCD),
            *("--data-dir", self.directory / "etcd"),
            *("--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", "http://127.0.0.1:0"),
            *("--unsafe-no-fsync", "--log-level", "warn"),
        ]

    def is_ready(self) -> bool:
        """Its own word: /health."""
        return answers(ETCD_PORT, "/health")
