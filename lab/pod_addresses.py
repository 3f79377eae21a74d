"""Hands out the pods' addresses: 10.244.1.0 and up, each as long as its pod lives, reused as late as possible."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

_PODS = IPv4Network("10.244.0.0/16")
_FIRST = IPv4Address("10.244.1.1")


class PodAddresses:
    """Those in use, and the next one."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next = self._around()

    def take(self, address: str | None) -> None:
        """Notes that an address is in use already."""
        if address:
            self._taken.add(address)

    def new(self) -> str:
        """An address that no pod has."""
        address = next(candidate for candidate in self._next if candidate not in self._taken)
        self._taken.add(address)
        return address

    def free(self, address: str) -> None:
        """Gives an address back."""
        self._taken.discard(address)

    @staticmethod
    def _around() -> Iterator[str]:
        while True:
            address = _FIRST
            while address < _PODS.broadcast_address:
                if int(address) & 0xFF not in (0, 0xFF):
                    yield str(address)
                address += 1
