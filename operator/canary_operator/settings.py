"""How the operator is configured: a file, then the command line. What is wrong is named by its key; what is unknown is wrong."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from canary_operator.analysis import promql
from canary_operator.api.quantities import parse_duration
from canary_operator.mesh.config import CONFIG_MAP

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OWN_LABELS = frozenset({"reporter", "destination_service_name", "destination_service_namespace", "destination_workload", "le"})
"""Labels that the operator's queries set themselves."""
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[0-9A-Za-z.-]*):([0-9]{1,5})")
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DOMAIN = re.compile(rf"{_DNS_LABEL.pattern}(\.{_DNS_LABEL.pattern})*")


class SettingsError(Exception):
    """The configuration is wrong; the message is one line that names the key."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A Prometheus that CanaryReleases may name."""

    url: str
    """Without credentials; a path prefix is allowed."""
    timeout: timedelta = timedelta(seconds=2)
    """Until a query is given up."""
    token_file: str | None = None
    """A bearer token, read anew for every query."""
    ca_file: str | None = None
    """Certificates to trust instead of the usual ones."""
    headers_file: str | None = None
    """Lines `Name: value`, such as a tenant; read anew for every query."""
    cert_file: str | None = None
    """The certificate that the operator shows; read anew when it changes, like the other certificates. None: it shows none."""
    key_file: str | None = None
    """Its key; None exactly when there is no certificate."""
    matchers: Mapping[str, str] = field(default_factory=dict)
    """Values of labels that the operator's own queries ask for, such as the cluster in a store of several."""


@dataclass(frozen=True, slots=True)
class Election:
    """How replicas agree which of them works."""

    lease: timedelta = timedelta(seconds=15)
    """Whole seconds after which others take over from a replica that is silent. It renews every third, and stops after two thirds."""
    namespace: str | None = None
    """Of the Lease; None: that of the pod, or `istio-canary-operator` outside a cluster."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All of the configuration."""

    prometheus: Mapping[str, Provider]
    """By name."""
    namespaces: tuple[str, ...] = ()
    """Those that are watched; empty: all."""
    workers: int = 8
    """Passes at the same time."""
    leader_election: Election | Literal[False] | None = None
    """False: this process works without asking anybody. None: as fits, with a Lease as a pod's service account, without one by a kubeconfig."""
    probe: tuple[str, int] | None = ("", 8080)
    """Host and port of /healthz and /readyz; None: off."""
    metrics: tuple[str, int] | None = ("", 9090)
    """Host and port of /metrics; None: off."""
    log: str = "json"
    """json or text."""
    rises: bool = True
    """False: nothing goes forward anywhere by itself (ADR 56, 64). The one key that is read again while the operator runs."""
    config: str | None = None
    """The file, as given on the command line; None: there is none."""
    kubeconfig: str | None = None
    """As given on the command line."""
    cluster_domain: str | None = None
    """The cluster's domain, such as `cluster.local`; None: it is looked for."""
    mesh_config: tuple[str, str] = CONFIG_MAP
    """Namespace and name of the ConfigMap with Istio's mesh config."""

    def matchers(self, provider: str) -> str:
        """The label matchers of a provider, as a query writes them; empty: none, or there is no such provider."""
        known = self.prometheus.get(provider)
        return promql.matchers(known.matchers) if known else ""


def load(text: str) -> Settings:
    """The settings in a configuration file.

    Raises:
        SettingsError: Something in it is wrong.
    """
    import yaml

    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"no valid YAML: {' '.join(str(error).split())}") from error
    return _Reader().settings(document if document is not None else {})


def assemble(
    config: str | None = None, *, kubeconfig: str | None = None, namespaces: Sequence[str] = (), prometheus: str | None = None
) -> Settings:
    """The settings of a process: the file, and over it what the command line says.

    Raises:
        SettingsError: Something is wrong; the message names file or option.
    """
    settings = Settings(prometheus={})
    if config is not None:
        try:
            settings = load(Path(config).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"--config {config}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
        except SettingsError as error:
            raise SettingsError(f"{config}: {error}") from error
    if namespaces:
        settings = replace(settings, namespaces=_names(list(namespaces), "--namespace"))
    if prometheus is not None:
        default = replace(settings.prometheus.get("default", Provider(prometheus)), url=_url(prometheus, "--prometheus"))
        settings = replace(settings, prometheus={**settings.prometheus, "default": default})
    if not settings.prometheus:
        raise SettingsError("prometheus.default.url: no Prometheus is configured; give --prometheus URL, or a file by --config")
    return replace(settings, kubeconfig=kubeconfig, config=config)


class _Reader:
    def settings(self, document: object) -> Settings:
        fields: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
            "prometheus": ("prometheus", self.providers),
            "namespaces": ("namespaces", _names),
            "workers": ("workers", _count),
            "leaderElection": ("leader_election", self.election),
            "probe": ("probe", _address),
            "metrics": ("metrics", _address),
            "log": ("log", _log),
            "rises": ("rises", _flag),
            "clusterDomain": ("cluster_domain", _domain),
            "meshConfig": ("mesh_config", _config_map),
        }
        return Settings(**{"prometheus": {}, **_read(document, "", fields)})

    def election(self, document: object, key: str) -> Election | Literal[False]:
        if isinstance(document, bool):
            return Election() if document else False
        if not isinstance(document, dict):
            raise SettingsError(f"{key}: must be true, false, or a mapping of lease and namespace")
        fields: dict[str, tuple[str, Callable[[Any, str], Any]]] = {"lease": ("lease", _lease), "namespace": ("namespace", _namespace)}
        return Election(**_read(document, f"{key}.", fields))

    def providers(self, document: object, key: str) -> Mapping[str, Provider]:
        found = {}
        for name, provider in _mapping(document, key).items():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise SettingsError(f"{key}.{name}: no name for a provider; use lower-case letters, digits and dashes")
            found[name] = self.provider(provider, f"{key}.{name}")
        return found

    def provider(self, document: object, key: str) -> Provider:
        fields: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
            "url": ("url", _url),
            "timeout": ("timeout", _timeout),
            "tokenFile": ("token_file", _file),
            "caFile": ("ca_file", _file),
            "headersFile": ("headers_file", _file),
            "certFile": ("cert_file", _file),
            "keyFile": ("key_file", _file),
            "matchers": ("matchers", _matchers),
        }
        values = _read(document, f"{key}.", fields)
        if "url" not in values:
            raise SettingsError(f"{key}.url: missing; write the address of Prometheus")
        for one, other in (("certFile", "keyFile"), ("keyFile", "certFile")):
            if values.get(fields[one][0]) and not values.get(fields[other][0]):
                raise SettingsError(f"{key}.{other}: missing; a certificate that is shown needs both certFile and keyFile")
        return Provider(**values)


def _read(document: object, prefix: str, fields: Mapping[str, tuple[str, Callable[[Any, str], Any]]]) -> dict[str, Any]:
    values = {}
    for key, value in _mapping(document, prefix.rstrip(".") or "configuration").items():
        if key not in fields:
            raise SettingsError(f"{prefix}{key}: unknown; known are {', '.join(fields)}")
        name, parse = fields[key]
        values[name] = parse(value, f"{prefix}{key}")
    return values


def _mapping(value: object, key: str) -> Mapping[Any, Any]:
    if not isinstance(value, dict):
        raise SettingsError(f"{key}: must be a mapping")
    return value


def _names(value: object, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and _DNS_LABEL.fullmatch(name) for name in value):
        raise SettingsError(f"{key}: must be a list of names of namespaces")
    return tuple(dict.fromkeys(value))


def _namespace(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"{key}: must be the name of a namespace")
    return _names([value], key)[0]


def _domain(value: object, key: str) -> str:
    if not isinstance(value, str) or len(value) > 200 or not _DOMAIN.fullmatch(value):
        raise SettingsError(f"{key}: must be a domain such as cluster.local")
    return value


def _config_map(value: object, key: str) -> tuple[str, str]:
    namespace, slash, name = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not slash or not _DNS_LABEL.fullmatch(namespace) or not _DOMAIN.fullmatch(name):
        raise SettingsError(f"{key}: must be namespace/name of a ConfigMap, such as istio-system/istio")
    return namespace, name


def _count(value: object, key: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 64:
        raise SettingsError(f"{key}: must be a number from 1 to 64")
    return value


def _log(value: object, key: str) -> str:
    if value not in ("json", "text"):
        raise SettingsError(f"{key}: must be json or text")
    return str(value)


def _address(value: object, key: str) -> tuple[str, int] | None:
    found = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[2]) > 65535:
        raise SettingsError(f'{key}: must be an address such as ":8080", or ":0" for off')
    return (found[1].strip("[]"), int(found[2])) if int(found[2]) else None


def _flag(value: object, key: str) -> bool:
    if not isinstance(value, bool):
        raise SettingsError(f"{key}: must be true or false")
    return value


def _lease(value: object, key: str) -> timedelta:
    span = _span(value, key)
    if not timedelta(seconds=3) <= span <= timedelta(minutes=5) or span % timedelta(seconds=1):
        raise SettingsError(f"{key}: must be a duration of whole seconds from 3s to 5m")
    return span


def _span(value: object, key: str) -> timedelta:
    try:
        return parse_duration(value) if isinstance(value, str) else timedelta()
    except ValueError as error:
        raise SettingsError(f"{key}: {error}") from error


def _timeout(value: object, key: str) -> timedelta:
    span = _span(value, key)
    if not timedelta(milliseconds=100) <= span <= timedelta(seconds=30):
        raise SettingsError(f"{key}: must be a duration from 100ms to 30s")
    return span


def _file(value: object, key: str) -> str | None:
    if not isinstance(value, str):
        raise SettingsError(f"{key}: must be the path of a file")
    if value and not Path(value).is_file():
        raise SettingsError(f"{key}: no file at {value}")
    return value or None


def _matchers(value: object, key: str) -> Mapping[str, str]:
    found = {}
    for label, wanted in _mapping(value, key).items():
        if not isinstance(label, str) or not _LABEL.fullmatch(label) or label in _OWN_LABELS:
            raise SettingsError(f"{key}.{label}: no label that may be chosen; write one that tells clusters apart, such as cluster")
        if not isinstance(wanted, str) or not wanted:
            raise SettingsError(f"{key}.{label}: must be the value that the series of this cluster have")
        found[label] = wanted
    return found


def _url(value: object, key: str) -> str:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        well = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        well, parts = False, None
    if parts is None or not well:
        raise SettingsError(f'{key}: must be an address such as "http://prometheus.monitoring:9090"')
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise SettingsError(f"{key}: must hold no credentials, query or fragment; use tokenFile or headersFile")
    return str(value).rstrip("/")
