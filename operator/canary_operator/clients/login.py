"""Where the API server is and who we are: service account or kubeconfig file. Keeps no global state."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Any

from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException

from canary_operator.clients.errors import CanaryOperatorError

REREAD = 60.0
"""Seconds after which credentials are read again: token files rotate, and tokens of plugins expire."""
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
NAMESPACE = SERVICE_ACCOUNT.with_name("namespace")


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
    untyped: Any = config
    login = Configuration()
    configuration: Any = login
    configuration.proxy = None  # the environment has no say in this; a kubeconfig's proxy-url has
    configuration.client_session_kwargs = {"trust_env": False}
    path = kubeconfig_path(kubeconfig)
    try:
        if path is None:
            untyped.load_incluster_config(client_configuration=configuration)
            return login
        if not _is_there(path):
            raise LoginFailed(f"no service account, and no kubeconfig file at {path}")
        loader = await untyped.load_kube_config(config_file=path, client_configuration=configuration, persist_config=False)
    except (ConfigException, OSError, ValueError, TypeError, KeyError) as error:
        raise LoginFailed(f"{path or 'service account'}: {error}") from error
    configuration.refresh_api_key_hook = _renewal(loader.load_and_set)
    return login


def _is_there(path: str) -> bool:
    return any(Path(part).expanduser().is_file() for part in path.split(os.pathsep))


def _renewal(load: Callable[[Configuration], Awaitable[None]]) -> Callable[[Configuration], Awaitable[None]]:
    due = monotonic() + REREAD

    async def renew(configuration: Configuration) -> None:
        nonlocal due
        if monotonic() >= due:
            due = monotonic() + REREAD
            await load(configuration)

    return renew


async def bearer(configuration: Configuration) -> str | None:
    """The value of the Authorization header, renewed where it is due; None: certificates alone."""
    header: str | None = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
    return header


def api_client(configuration: Configuration) -> ApiClient:
    """A client of its own for this configuration."""
    return ApiClient(configuration)
