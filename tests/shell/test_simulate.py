"""`simulate`: a CanaryRelease is played before it is applied, from the command line to the last character."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from canary_operator.cli.chance import chance
from canary_operator.cli.main import main as operator
from canary_operator.cli.many import many
from canary_operator.cli.plugin import main as plugin
from canary_operator.cli.release_file import release_of
from canary_operator.simulation.assumed import Assumed
from canary_operator.simulation.play import play
from tests.shell.simulating import RELEASE, SERVICE, SHORT, as_json, run

# --------------------------------------------------------------------------------------------------------------- one release


def test_a_good_release_is_told_from_its_first_weight_to_its_promotion() -> None:
    done = run(SHORT)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("reviews: promoted after ")
    assert lines[1].startswith("assumed: 100 requests/s, stable fails 0.1 %; the canary fails like stable; ")
    assert any("canary gets 10 %" in line for line in lines)
    assert "Promoted: v2@t1 passed all steps and the bake" in lines[-1]


def test_a_bad_release_is_rolled_back_and_its_price_is_told() -> None:
    told = as_json(RELEASE, "--canary-fails", "20%")
    assert told["outcome"] == "RolledBack"
    assert told["reason"] == "MoreFailures"
    assert told["moments"][-1]["canary"]["failures"] == told["failed"] > 0
    assert told["moments"][-1]["weight"] == 0


def test_a_fault_shows_at_the_weight_that_was_named() -> None:
    late = as_json(RELEASE, "--stable-fails", "0%", "--canary-fails", "50%", "--from-weight", "25")
    failing = [each for each in late["moments"] if each["canary"]["failures"]]
    assert late["outcome"] == "RolledBack"
    before = [each for each in late["moments"] if each["seconds"] < failing[0]["seconds"]]
    assert max(each["weight"] for each in before) == 25


def test_a_fault_begins_at_the_time_that_was_named() -> None:
    late = as_json(RELEASE, "--stable-fails", "0%", "--canary-fails", "50%", "--from", "90s")
    assert late["outcome"] == "RolledBack"
    assert 90 < min(each["seconds"] for each in late["moments"] if each["canary"]["failures"]) < 110


def test_half_an_hour_without_prometheus_is_held_and_then_the_release_goes_on() -> None:
    told = as_json(RELEASE, "--outage", "3m..33m")
    away = [each["weight"] for each in told["moments"] if 180 < each["seconds"] < 1980]
    assert len(set(away)) == 1, "a weight changed while nobody could see"
    assert told["outcome"] == "Promoted"
    assert told["seconds"] > 1980


def test_without_prometheus_the_policy_says_whether_the_traffic_goes_back() -> None:
    told = as_json(RELEASE + "  analysis: {noData: Withdraw}\n", "--outage", "0s..35m")
    assert (told["outcome"], told["reason"], told["failed"]) == ("Withdrawn", "NoData", told["failed"])
    assert 300 <= told["seconds"] < 330, "hold.max of the step, 5 minutes"


def test_slow_answers_are_judged_when_the_spec_asks_for_it() -> None:
    told = as_json(RELEASE + "  analysis: {latency: {threshold: 250ms}}\n", "--stable-slow", "1%", "--canary-slow", "40%")
    assert (told["outcome"], told["reason"]) == ("RolledBack", "Slower")


def test_a_gate_is_opened_after_the_time_that_was_named() -> None:
    gated = RELEASE + "  steps: [{weight: 10}, {weight: 50, approval: Required}]\n"
    at_once, later = as_json(gated), as_json(gated, "--approve", "20m")
    assert at_once["outcome"] == later["outcome"] == "Promoted"
    assert later["seconds"] - at_once["seconds"] == pytest.approx(1200, abs=120)


def test_a_pace_is_played_like_steps() -> None:
    told = as_json(RELEASE + "  pace: {failureBudget: 20}\n")
    assert told["outcome"] == "Promoted"
    assert told["seconds"] < 600


def test_a_release_that_is_not_over_says_what_it_waits_for() -> None:
    told = as_json(RELEASE, "--for", "2m")
    assert told["outcome"] == "Unfinished"
    assert told["seconds"] == 120
    assert told["reason"]


# ------------------------------------------------------------------------------------------------------------------ many releases


def test_a_table_of_many_releases_adds_up() -> None:
    found = as_json(SHORT, "--runs", "12", "--canary-fails", "3%")
    assert found["releases"] == 12
    assert found["rolled_back"] + found["promoted"] + found["withdrawn"] + found["unfinished"] == pytest.approx(100, abs=0.01)
    assert found["failed_median"] <= found["failed_most"]


def test_other_processes_play_the_same_releases() -> None:
    spec = release_of(SHORT, "test").spec
    here = [play(spec, Assumed(), chance(f"5/{number}", 1), most=3600) for number in range(12)]
    assert many(spec, Assumed(), runs=12, seed=5, most=3600) == here


def test_the_same_seed_gives_the_same_release_and_another_seed_another() -> None:
    assert run(SHORT, "--seed", "3").stdout == run(SHORT, "--seed", "3").stdout
    assert run(SHORT, "--seed", "3").stdout != run(SHORT, "--seed", "4").stdout


# ------------------------------------------------------------------------------------------------------------------ the drawings


@pytest.mark.parametrize("columns", [40, 60, 100, 160])
def test_the_drawing_keeps_to_the_width_of_the_terminal(columns: int) -> None:
    lines = run(RELEASE, "--canary-fails", "5%", columns=columns).stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert "\x1b" not in "".join(lines)


def test_a_terminal_without_unicode_gets_plain_characters() -> None:
    command = [sys.executable, "-m", "canary_operator.cli.main", "simulate", "-f", "-"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "80"}
    done = subprocess.run(command, input=SHORT.encode(), capture_output=True, env=environment, check=True)
    assert b"####" in done.stdout
    assert done.stdout.isascii()


def test_the_picture_is_well_formed_and_needs_nothing_from_outside(tmp_path: Path) -> None:
    file = tmp_path / "release.svg"
    assert run(RELEASE, "--canary-fails", "5%", "--from-weight", "10", "--outage", "30s..50s", "--svg", str(file)).exit_code == 0
    text = file.read_text()
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = " ".join("".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text"))
    for part in ("reviews: rolled back", "weight of the canary", "odds", "failed requests", "the fault begins", "Prometheus away"):
        assert part in words
    assert "prefers-color-scheme:dark" in text
    assert "href" not in text and "url(" not in text and "<script" not in text
    assert len(text) < 12_000


# ----------------------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        pytest.param(SERVICE, (), "holds no CanaryRelease (Service); exactly one is wanted", id="another kind"),
        pytest.param(f"{RELEASE}---{RELEASE}", (), "holds 2 CanaryReleases", id="two of them"),
        pytest.param("", (), "holds no CanaryRelease (nothing)", id="an empty file"),
        pytest.param("a: [", (), "not YAML", id="no YAML"),
        pytest.param(RELEASE.replace("canary.rollouts.dev", "flagger.app"), (), "apiVersion: 'flagger.app/v1beta1'", id="another group"),
        pytest.param(RELEASE.replace("  version: v2\n", ""), (), "spec.version: missing", id="a field is missing"),
        pytest.param(RELEASE + "  stepz: []\n", (), "spec.stepz: unknown field; known are service, version,", id="a field that is unknown"),
        pytest.param(
            RELEASE + "  steps: [{weight: 5, hold: {min: 1 minute}}]\n",
            (),
            "spec.steps[0].hold.min: '1 minute': write a duration",
            id="a form",
        ),
        pytest.param(RELEASE + "  bake: 25h\n", (), "spec.bake: '25h': bake must be from 0s to 24h", id="a bound of a duration"),
        pytest.param(
            RELEASE + "  steps: [{weight: 101}]\n", (), "spec.steps[0].weight: Input should be less than or equal to 100", id="a bound"
        ),
        pytest.param(RELEASE + "  steps: [{weight: 20}, {weight: 10}]\n", (), "spec.steps: steps must rise", id="steps that fall"),
        pytest.param(RELEASE + "  steps: [{weight: 20}]\n  pace: {failureBudget: 5}\n", (), "steps and pace exclude each other", id="both"),
        pytest.param(RELEASE + "  suspend: true\n", (), "spec.suspend: true", id="suspended"),
        pytest.param(RELEASE, ("--canary-fails", "5"), "'5' is no share", id="a share without percent"),
        pytest.param(RELEASE, ("--outage", "5m"), "'5m' is no span", id="a span without an end"),
        pytest.param(RELEASE, ("--outage", "5m..1m"), "'5m..1m' is no span", id="a span that ends before it begins"),
        pytest.param(RELEASE, ("--from", "soon"), "'soon' is no duration", id="no duration"),
        pytest.param(RELEASE, ("--scrape", "0s"), "--scrape: must be 1s or more", id="no scrape interval"),
        pytest.param(RELEASE, ("--canary-slow", "5%"), "--canary-slow: spec.analysis.latency is not set", id="latency is not judged"),
        pytest.param(RELEASE, ("--runs", "3", "--svg", "x.svg"), "--svg draws one release", id="a picture of many"),
        pytest.param(
            RELEASE, ("--record", "missing.json"), "simulate: missing.json: No such file or directory", id="a recording that is not there"
        ),
    ],
)
def test_wrong_input_ends_with_2_and_says_what_to_write(text: str, options: tuple[str, ...], said: str) -> None:
    done = run(text, *options)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


# ---------------------------------------------------------------------------------------------------------------- the real program


def test_other_documents_in_the_file_are_left_alone_and_the_plugin_plays_the_same(tmp_path: Path) -> None:
    file = tmp_path / "release.yaml"
    file.write_text(f"{SERVICE}---\n---{SHORT}")
    one, other = (CliRunner(env={"COLUMNS": "100"}).invoke(each, ["simulate", "-f", str(file)]) for each in (operator, plugin))
    assert one.exit_code == other.exit_code == 0
    assert one.stdout == other.stdout


def test_interrupted_it_ends_with_130_and_leaves_nothing_running(tmp_path: Path) -> None:
    with playing(tmp_path) as process:
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert said == b"simulate: interrupted\n"
        assert not _runs(process.pid)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_killed_it_leaves_nothing_running_either(tmp_path: Path, how: signal.Signals) -> None:
    with playing(tmp_path) as process:
        process.send_signal(how)
        process.wait(30)
        deadline = time.monotonic() + 30
        while _runs(process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not _runs(process.pid)


@contextmanager
def playing(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The program with its helpers, in a process group of their own, of which nothing is left afterwards."""
    (tmp_path / "release.yaml").write_text(RELEASE)
    command = [sys.executable, "-m", "canary_operator.cli.main", "simulate", "-f", str(tmp_path / "release.yaml"), "--runs", "100000"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A shell's background job is deaf to it, and so is whatever it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    try:
        deadline = time.monotonic() + 30
        while len(_children(process.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _runs(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
