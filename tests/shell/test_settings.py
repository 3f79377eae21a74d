"""The configuration: what is wrong is named by its key, in one line, with exit code 2."""

from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from canary_operator.cli.main import main
from canary_operator.settings import Election, Provider, Settings, SettingsError, assemble, load

GOOD = """
prometheus:
  default: {url: "http://prometheus.monitoring:9090/", timeout: 3s, tokenFile: "", caFile: "", headersFile: "", certFile: "", keyFile: ""}
  other: {url: "https://mimir.example.com/prometheus"}
namespaces: [shop, infra]
workers: 4
leaderElection: {lease: 30s, namespace: infra}
probe: "127.0.0.1:8080"
metrics: ":0"
log: text
"""

WRONG = [
    ("prometheus: {default: {}}", "prometheus.default.url"),
    ("prometheus: {default: {url: prometheus:9090}}", "prometheus.default.url"),
    ("prometheus: {default: {url: 'ftp://x'}}", "prometheus.default.url"),
    ("prometheus: {default: {url: 'http://me:secret@x'}}", "prometheus.default.url"),
    ("prometheus: {default: {url: 'http://x:99999'}}", "prometheus.default.url"),
    ("prometheus: {default: {url: 'http://x/?q=1'}}", "prometheus.default.url"),
    ("prometheus: {default: {url: 9090}}", "prometheus.default.url"),
    ("prometheus: {default: {url: 'http://x', timeout: 2}}", "prometheus.default.timeout"),
    ("prometheus: {default: {url: 'http://x', timeout: 2 s}}", "prometheus.default.timeout"),
    ("prometheus: {default: {url: 'http://x', timeout: 10m}}", "prometheus.default.timeout"),
    ("prometheus: {default: {url: 'http://x', tokenFile: /no/such/file}}", "prometheus.default.tokenFile"),
    ("prometheus: {default: {url: 'http://x', caFile: 1}}", "prometheus.default.caFile"),
    ("prometheus: {default: {url: 'http://x', headersFile: [a]}}", "prometheus.default.headersFile"),
    ("prometheus: {default: {url: 'http://x', certFile: /no/such/file, keyFile: /dev/null}}", "prometheus.default.certFile"),
    (f"prometheus: {{default: {{url: 'http://x', certFile: {__file__}}}}}", "prometheus.default.keyFile"),
    (f"prometheus: {{default: {{url: 'http://x', keyFile: {__file__}}}}}", "prometheus.default.certFile"),
    ("prometheus: {default: {url: 'http://x', token: abc}}", "prometheus.default.token"),
    ("prometheus: {Default: {url: 'http://x'}}", "prometheus.Default"),
    ("prometheus: http://x", "prometheus"),
    ("prometheus: {default: http://x}", "prometheus.default"),
    ("namespaces: shop", "namespaces"),
    ("namespaces: [Shop]", "namespaces"),
    ("workers: 0", "workers"),
    ("workers: true", "workers"),
    ("workers: many", "workers"),
    ("rises: 'false'", "rises"),
    ("rises: 0", "rises"),
    ("probe: 8080", "probe"),
    ("probe: ':99999'", "probe"),
    ("metrics: nowhere", "metrics"),
    ("leaderElection: maybe", "leaderElection"),
    ("leaderElection: {lease: 15}", "leaderElection.lease"),
    ("leaderElection: {lease: 2s}", "leaderElection.lease"),
    ("leaderElection: {lease: 3500ms}", "leaderElection.lease"),
    ("leaderElection: {lease: 1h}", "leaderElection.lease"),
    ("leaderElection: {namespace: Shop}", "leaderElection.namespace"),
    ("leaderElection: {namespace: [shop]}", "leaderElection.namespace"),
    ("leaderElection: {deadline: 3s}", "leaderElection.deadline"),
    ("log: xml", "log"),
    ("clusterDomain: corp_internal", "clusterDomain"),
    ("clusterDomain: .local", "clusterDomain"),
    ("clusterDomain: 1", "clusterDomain"),
    ("meshConfig: istio", "meshConfig"),
    ("meshConfig: istio-system/", "meshConfig"),
    ("meshConfig: [a, b]", "meshConfig"),
    ("worker: 4", "worker"),
    ("- a", "configuration"),
    ("prometheus: {default: {url: 'http://x'}", "no valid YAML"),
    ("{}", "prometheus.default.url"),
]


def test_all_of_a_file_is_understood() -> None:
    assert load(GOOD) == Settings(
        prometheus={
            "default": Provider("http://prometheus.monitoring:9090", timedelta(seconds=3)),
            "other": Provider("https://mimir.example.com/prometheus"),
        },
        namespaces=("shop", "infra"),
        workers=4,
        leader_election=Election(timedelta(seconds=30), "infra"),
        probe=("127.0.0.1", 8080),
        metrics=None,
        log="text",
    )


def test_the_command_line_goes_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(GOOD)
    settings = assemble(str(file), kubeconfig="/k", namespaces=("a", "a"), prometheus="http://localhost:9090")
    assert settings.prometheus["default"] == Provider("http://localhost:9090", timedelta(seconds=3))
    assert (settings.namespaces, settings.kubeconfig) == (("a",), "/k")


@pytest.mark.parametrize(("text", "chosen"), [("true", Election()), ("false", False), ("{}", Election())])
def test_leader_election_is_switched_by_one_word(text: str, chosen: Election | bool) -> None:
    assert load(f"leaderElection: {text}").leader_election == chosen


def test_an_address_alone_is_enough() -> None:
    assert assemble(prometheus="http://p:9090") == Settings(prometheus={"default": Provider("http://p:9090")})


@pytest.mark.parametrize(("text", "key"), [pytest.param(text, key, id=text) for text, key in WRONG])
def test_wrong_configuration_leaves_with_2_and_one_line_that_names_the_key(text: str, key: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    result = CliRunner().invoke(main, ["run", "--config", str(file)])
    assert result.exit_code == 2
    (line,) = result.output.splitlines()
    assert f"{key}:" in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(["--config", "/no/such/file"], "--config /no/such/file", id="no file"),
        pytest.param(["--prometheus", "nowhere"], "--prometheus", id="no address"),
        pytest.param(["--prometheus", "http://p", "--namespace", "A_B"], "--namespace", id="no namespace"),
        pytest.param([], "prometheus.default.url", id="nothing"),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], named: str) -> None:
    result = CliRunner().invoke(main, ["run", *arguments])
    assert result.exit_code == 2
    assert len(result.output.splitlines()) == 1 and named in result.output


def test_the_version_is_told() -> None:
    assert "0.1.0" in CliRunner().invoke(main, ["--version"]).output


def test_settings_errors_are_one_line() -> None:
    with pytest.raises(SettingsError) as raised:
        load("a: [\n\n")
    assert "\n" not in str(raised.value)
