"""`simulate`: plays a CanaryRelease before it is applied, with the decisions of production, in virtual time."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from canary_operator.analysis.failures import FailureCodes
from canary_operator.analysis.wording import seconds_text
from canary_operator.api.quantities import SHARE_ADVICE, parse_share
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.cli.ask_prometheus import ask
from canary_operator.cli.chance import chance
from canary_operator.cli.many import Interrupted, many
from canary_operator.cli.release_file import ReleaseFile, WrongFile, release_of, seconds_of
from canary_operator.simulation.assumed import Assumed, Incident
from canary_operator.simulation.drawing import ASCII, UNICODE, drawing
from canary_operator.simulation.play import Story, story
from canary_operator.simulation.recorded import NoRecording, Recorded, recording
from canary_operator.simulation.scales import assumptions
from canary_operator.simulation.svg import svg
from canary_operator.simulation.table import Table, table

WRONG_INPUT = 2
INTERRUPTED = 130


class _Share(click.ParamType[float]):
    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return value if isinstance(value, float) else parse_share(str(value))
        except ValueError:
            self.fail(f"{value!r} is no share; {SHARE_ADVICE.replace(' in quotes', '')}", param, ctx)


class _Seconds(click.ParamType[float]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return value if isinstance(value, float) else seconds_of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Span(click.ParamType[tuple[float, float]]):
    name = "from..until"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        since, dots, until = str(value).partition("..")
        try:
            span = seconds_of(since), seconds_of(until)
        except ValueError:
            dots, span = "", (0.0, 0.0)
        if not dots or span[0] >= span[1]:
            self.fail(f"{value!r} is no span; write when it begins and when it ends, such as 5m..35m", param, ctx)
        return span


ENDS = {"promoted": "promoted", "rolled_back": "rolled back", "withdrawn": "withdrawn", "unfinished": "not over"}
"""What each share of a table is called."""
SHARE, SECONDS, SPAN = _Share(), _Seconds(), _Span()
OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("-f", "--filename", required=True, metavar="FILE", help="The CanaryRelease (YAML); - reads it from the standard input."),
    click.option("--rate", type=click.FloatRange(0.01, 1e6), default=100.0, show_default=True, help="Requests per second of the service."),
    click.option("--stable-fails", type=SHARE, default=0.001, help="Share of stable's requests that fail.  [default: 0.1%]"),
    click.option("--canary-fails", type=SHARE, help="The same of the canary; like stable when left out."),
    click.option("--from", "fails_from", type=SECONDS, default=0.0, help="The canary's fault begins so long after the start, such as 10m."),
    click.option(
        "--from-weight", type=click.IntRange(0, 100), default=0, help="The canary's fault shows at this weight or above (percent)."
    ),
    click.option("--stable-slow", type=SHARE, default=0.0, help="Share of stable's answers slower than spec.analysis.latency.threshold."),
    click.option("--canary-slow", type=SHARE, help="The same of the canary; like stable when left out."),
    click.option("--scrape", type=SECONDS, default=15.0, help="Time between two scrapes.  [default: 15s]"),
    click.option("--proxies", type=click.IntRange(1, 100), default=1, show_default=True, help="Gateways and callers that count."),
    click.option("--outage", "outages", type=SPAN, multiple=True, help="Prometheus is away, such as 5m..35m; may be given several times."),
    click.option("--incident", type=SPAN, help="Both versions fail 30% more, such as 5m..7m."),
    click.option("--clump", type=click.IntRange(1, 1000), default=1, show_default=True, help="Failures come in groups of so many."),
    click.option("--record", type=click.Path(dir_okay=False), metavar="FILE", help="What Prometheus has recorded of the service (JSON)."),
    click.option("--prometheus", metavar="URL", help="Ask this Prometheus what went on at the service, and play over that."),
    click.option("--last", type=SECONDS, help="How far back it is asked.  [default: 2h]"),
    click.option("-n", "--namespace", help="The service's, where the file names none.  [default: default]"),
    click.option("--approve", type=SECONDS, default=0.0, help="Gates are opened by hand after so long; at once when left out."),
    click.option("--for", "most", type=SECONDS, default=86_400.0, help="The longest that is played.  [default: 24h]"),
    click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same release."),
    click.option("--runs", type=click.IntRange(1, 1_000_000), help="Play so many releases, and print a table."),
    click.option("--svg", "svg_file", type=click.Path(dir_okay=False), metavar="FILE", help="Draw the release into this file, too."),
    click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="What is printed."),
)


@click.command()
def simulate(**given: Any) -> None:
    """Play a CanaryRelease before you apply it.

    The operator's own decisions in virtual time, over the traffic that you assume or have recorded: one release as a story, or with --runs a
    table of many. Nothing is asked of any cluster, but what went on at the service if --prometheus names one. All times count from the start
    of the release.

    Exit codes: 0 it was played, however it ended; 2 wrong input, the last line says what to write; 130 interrupted.
    """
    try:
        _simulate(**given)
    except OSError as error:
        click.echo(f"simulate: {f'{error.filename}: {error.strerror}' if error.filename else error}", err=True)
        sys.exit(WRONG_INPUT)
    except (WrongFile, NoRecording) as error:
        click.echo(f"simulate: {error}", err=True)
        sys.exit(WRONG_INPUT)
    except (Interrupted, KeyboardInterrupt):
        click.echo("simulate: interrupted", err=True)
        sys.exit(INTERRUPTED)


for _option in OPTIONS:
    simulate = _option(simulate)


def _simulate(
    *, filename: str, output: str, runs: int | None, svg_file: str | None, seed: int, most: float, record: str | None, **given: Any
) -> None:
    file = release_of(sys.stdin.read() if filename == "-" else Path(filename).read_text(encoding="utf-8"), filename)
    name, spec = file.name, file.spec
    assumed = _assumed(given, _traffic(given, file, record))
    if given["canary_slow"] is not None and spec.analysis.latency is None:
        raise WrongFile("--canary-slow: spec.analysis.latency is not set, so nobody looks at it; set it, or leave --canary-slow out")
    if runs is not None:
        if svg_file is not None:
            raise WrongFile("--svg draws one release; leave --runs out")
        found = table(many(spec, assumed, runs=runs, seed=seed, most=most))
        _print(json.dumps(asdict(found), indent=2) if output == "json" else _in_words(name, assumed, found, seed))
        return
    told = story(spec, assumed, chance(f"{seed}/0", assumed.proxies), most=most)
    if svg_file is not None:
        Path(svg_file).write_text(svg(name, told), encoding="utf-8")
    if output == "json":
        _print(json.dumps(_document(told, seed), indent=2))
        return
    _print(drawing(name, told, shutil.get_terminal_size((100, 24)).columns, UNICODE if _takes_unicode() else ASCII))


def _assumed(given: dict[str, Any], recorded: Recorded | None) -> Assumed:
    incident = given["incident"]
    return Assumed(
        rate=given["rate"],
        stable_fails=given["stable_fails"],
        canary_fails=given["canary_fails"],
        fails_from=given["fails_from"],
        fails_from_weight=given["from_weight"],
        stable_slow=given["stable_slow"],
        canary_slow=given["canary_slow"],
        scrape=_at_least(given["scrape"], 1.0, "--scrape", "1s"),
        proxies=given["proxies"] if recorded is None else max(1, recorded.proxies),
        clump=given["clump"],
        incident=None if incident is None else Incident(since=incident[0], until=incident[1], share=0.3),
        outages=tuple(given["outages"]),
        recorded=recorded,
        approve_after=given["approve"],
    )


def _at_least(seconds: float, least: float, option: str, text: str) -> float:
    if seconds < least:
        raise WrongFile(f"{option}: must be {text} or more")
    return seconds


def _traffic(given: dict[str, Any], file: ReleaseFile, record: str | None) -> Recorded | None:
    if given["prometheus"] is None:
        if idle := next((option for option in ("last", "namespace") if given[option] is not None), None):
            raise WrongFile(f"--{idle}: goes with --prometheus, which is not given; add it, or leave --{idle} out")
        return _recorded(record, file.spec)
    if record is not None:
        raise WrongFile("--prometheus and --record are two sources of the same traffic; leave one out")
    return _asked(given["prometheus"], file, given["namespace"], 7200.0 if given["last"] is None else given["last"])


def _asked(url: str, file: ReleaseFile, namespace: str | None, last: float) -> Recorded:
    service, place = file.spec.service.name, file.namespace or namespace or "default"
    document = ask(url, service, place, file.spec.analysis.reporter, timedelta(seconds=_at_least(last, 1.0, "--last", "1s")))
    try:
        return _read(document, file.spec)
    except NoRecording as error:
        another = "as the file says" if file.namespace else "-n names another"
        words = f"the last {seconds_text(last)} (--last) of {service} in namespace {place} ({another})"
        raise NoRecording(f"--prometheus: {words}: {error}") from error


def _recorded(record: str | None, spec: CanaryReleaseSpec) -> Recorded | None:
    if record is None:
        return None
    try:
        return _read(json.loads(Path(record).read_text(encoding="utf-8")), spec)
    except (ValueError, RecursionError) as error:
        raise NoRecording(f"{record}: not JSON: {error}; write the answer of Prometheus to a range of istio_requests_total") from error
    except NoRecording as error:
        raise NoRecording(f"{record}: {error}") from error


def _read(document: object, spec: CanaryReleaseSpec) -> Recorded:
    errors = spec.analysis.errors
    return recording(document, FailureCodes.from_names(errors.http, errors.grpc), spec.analysis.reporter)


def _in_words(name: str, assumed: Assumed, found: Table, seed: int) -> str:
    figures = (
        ("failed requests of the canary, median", f"{found.failed_median:g}"),
        ("95 of 100 releases cost at most", f"{found.failed_most}"),
        ("minutes, median", f"{found.minutes_median:g}"),
    )
    return "\n".join(
        (
            f"{name}: {found.releases:,} releases, seed {seed}; {'; '.join(assumptions(assumed))}",
            *(
                _row(label, f"{getattr(found, end):g} %") + "   {:.4g} to {:.4g} %".format(*found.within[end])
                for end, label in ENDS.items()
            ),
            *(_row(label, value) for label, value in figures),
            "Beside each share: where it lies, 95 % sure. More --runs tell it more closely.",
        )
    )


def _row(label: str, value: str) -> str:
    return f"  {label:<38}{value:>10}"


def _document(told: Story, seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        **asdict(told.played),
        "moments": [
            {
                "seconds": round(each.seconds, 3),
                "weight": each.weight,
                "lnWorse": None if each.ln_worse is None else round(each.ln_worse, 4),
                "canary": asdict(each.canary),
                "stable": asdict(each.stable),
            }
            for each in told.moments
        ],
        "lines": [{**asdict(each), "time": round(each.time, 3)} for each in told.lines],
    }


def _takes_unicode() -> bool:
    try:
        UNICODE.full.encode(sys.stdout.encoding or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True


def _print(text: str) -> None:
    try:
        click.echo(text)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
