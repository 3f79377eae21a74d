"""What the files of a provider say: token, headers, certificates. Read again when they change, and never told to anybody.

Mounted Secrets are replaced while the operator runs, so nothing of them is kept longer than a query needs it; certificates live in a connection,
whose `stamp` says from which state of the files it was made.
"""

import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path

from canary_operator.settings import Provider

HIDDEN = "***"
SHORTEST_SECRET = 6
"""Characters: a shorter value of a header, such as the name of a tenant, would be hidden in words that have nothing to do with it."""

Stamp = tuple[tuple[int, int, int], ...]
"""Inode, time of change and size of each file that a TLS connection is made from."""


class Unusable(Exception):
    """A file cannot be used; the message is a clause that names key and path, never the content."""


def headers(provider: Provider) -> dict[str, str]:
    """The headers of the next query.

    Raises:
        Unusable: A file cannot be read.
    """
    found: dict[str, str] = {}
    if provider.headers_file is not None:
        lines = _text(provider.headers_file, "headersFile").splitlines()
        found |= {name.strip(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}
    if provider.token_file is not None:
        found["Authorization"] = f"Bearer {_text(provider.token_file, 'tokenFile')}"
    return found


def hide(words: str, sent: Mapping[str, str]) -> str:
    """Words that are to be told, without what was sent: a server may repeat in its errors what it was asked with."""
    secrets = {part for value in sent.values() for part in (value, *value.split()) if len(part) >= SHORTEST_SECRET}
    for secret in sorted(secrets, key=len, reverse=True):
        words = words.replace(secret, HIDDEN)
    return words


def stamp(provider: Provider) -> Stamp:
    """The state of the files that a connection is made from; follows links, by which mounted Secrets are replaced.

    Raises:
        Unusable: A file is gone.
    """
    return tuple(_state(path, key) for path, key in _files(provider))


def check(provider: Provider) -> None:
    """Whether a TLS connection can be made from the files.

    Raises:
        Unusable: A file holds no certificate, or key and certificate do not belong together.
    """
    context = ssl.create_default_context()
    try:
        if provider.ca_file is not None:
            context.load_verify_locations(cafile=provider.ca_file)
    except (OSError, ValueError):
        raise Unusable(f"caFile {provider.ca_file} holds no certificate in PEM form") from None
    try:
        if provider.cert_file is not None:
            context.load_cert_chain(provider.cert_file, provider.key_file, password="")  # with one OpenSSL would ask for it on the terminal
    except (OSError, ValueError):
        words = f"certFile {provider.cert_file} and keyFile {provider.key_file} hold no certificate with its key, unencrypted in PEM form"
        raise Unusable(words) from None


def _files(provider: Provider) -> Iterable[tuple[str, str]]:
    named = ((provider.ca_file, "caFile"), (provider.cert_file, "certFile"), (provider.key_file, "keyFile"))
    return ((path, key) for path, key in named if path is not None)


def _state(path: str, key: str) -> tuple[int, int, int]:
    try:
        found = Path(path).stat()
    except OSError:
        raise Unusable(f"{key} {path} cannot be read") from None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _text(path: str, key: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise Unusable(f"{key} {path} cannot be read") from None
