"""Where the API server is and who we are: service account or kubeconfig file. Keeps no global state."""

import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException

from canary_operator.clients.errors import CanaryOperatorError

REREAD = 60.0
"""Seconds after which credentials are read again: token files rotate, and tokens of plugins expire."""
DISTRUST = 1.0
"""The same once they were refused."""
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
NAMESPACE = SERVICE_ACCOUNT.with_name("namespace")


_UNREADABLE = (ConfigException, OSError, ValueError, TypeError, KeyError)


class LoginFailed(CanaryOperatorError):
    """No usable credentials were found."""


def kubeconfig_path(named: str | None) -> str | None:
    """The kubeconfig file to use; None: the service account of the pod.

    A file named on the command line wins, then `KUBECONFIG`, then the service account, then `~/.kube/config`.
    """
    if named or os.environ.get("KUBECONFIG"):
        return named or os.environ["KUBECONFIG"]
    return None if SERVICE_ACCOUNT.exists() else str(Path("~/.kube/config").expanduser())


def own_namespace() -> str | None:
    """The namespace of the pod that this process runs in; None: it runs in none."""
    try:
        return NAMESPACE.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


async def log_in(kubeconfig: str | None) -> Configuration:
    """The address of the API server and credentials that renew themselves.

    Raises:
        LoginFailed: There is no configuration, or it makes no sense.
    """
    login = Configuration()
    configuration: Any = login
    configuration.proxy = None  # the environment has no say in this; a kubeconfig's proxy-url has
    configuration.client_session_kwargs = {"trust_env": False}
    path = kubeconfig_path(kubeconfig)
    try:
        if path is not None and not _is_there(path):
            raise LoginFailed(f"no service account, and no kubeconfig file at {path}")
        await _read(path, configuration)
    except _UNREADABLE as error:
        raise LoginFailed(f"{path or 'service account'}: {error}") from error
    configuration.refresh_api_key_hook = Renewal(path)
    return login


async def _read(path: str | None, configuration: Any) -> None:
    untyped: Any = config
    if path is None:
        untyped.load_incluster_config(client_configuration=configuration, try_refresh_token=False)
    else:
        await untyped.load_kube_config(config_file=path, client_configuration=configuration, persist_config=False)


def _is_there(path: str) -> bool:
    return any(Path(part).expanduser().is_file() for part in path.split(os.pathsep))


class Renewal:
    """Reads kubeconfig or service account again when it is time. What cannot be read, as in the midst of a change, leaves the credentials alone."""

    def __init__(self, path: str | None, clock: Callable[[], float] = monotonic) -> None:
        self._path, self._clock = path, clock
        self._read = clock()
        self._due = self._read + REREAD

    async def __call__(self, configuration: Configuration) -> None:
        """Before each request."""
        if self._clock() < self._due:
            return
        self._read = self._clock()
        self._due = self._read + REREAD
        try:
            await _read(self._path, configuration)
        except _UNREADABLE:
            self._due = self._read + DISTRUST

    def distrust(self) -> None:
        """The credentials were refused: they are read again, but not all the time."""
        self._due = min(self._due, self._read + DISTRUST)


def distrust(configuration: Configuration) -> None:
    """The API server does not know these credentials any more."""
    renewal: Any = configuration.refresh_api_key_hook
    if isinstance(renewal, Renewal):
        renewal.distrust()


async def bearer(configuration: Configuration) -> str | None:
    """The value of the Authorization header, renewed where it is due; None: certificates alone."""
    header: str | None = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
    return header


def api_client(configuration: Configuration) -> ApiClient:
    """A client of its own for this configuration."""
    return ApiClient(configuration)
