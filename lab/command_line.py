"""The lab's command line."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lab import by_hand
from lab.building import BuildFailed, ensure
from lab.cluster import Cluster, NotIsolated
from lab.isolation import IsolationForbidden, isolate
from lab.laboratory import Lab
from lab.part import PartFailed
from lab.programs import CLUSTER, MESH, ProgramMissing

FAILURES = (BuildFailed, IsolationForbidden, NotIsolated, PartFailed, ProgramMissing, by_hand.NoLab)


def main(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code."""
    words, command = _split(arguments)
    chosen = _parser().parse_args(words)
    try:
        return _run(chosen, command)
    except FAILURES as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _run(chosen: argparse.Namespace, command: Sequence[str]) -> int:
    match chosen.command:
        case "programs":
            ensure(MESH)
            return 0
        case "isolated":
            ensure(CLUSTER if chosen.cluster else MESH)
            return isolate(command or [os.environ.get("SHELL", "/bin/sh")])
        case "up":
            ensure(CLUSTER if chosen.cluster else MESH)
            options = [*(["--cluster"] if chosen.cluster else []), "--scrape", chosen.scrape]
            return (by_hand.up_in_foreground if chosen.foreground else by_hand.up)(chosen.directory, options)
        case "serve":
            return by_hand.serve(chosen.directory, lambda: Cluster() if chosen.cluster else Lab(scrape=chosen.scrape))
        case "in":
            return by_hand.enter_lab(chosen.directory, command)
        case _:
            return by_hand.down(chosen.directory)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description="A real Kubernetes cluster and Istio mesh without containers.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{isolated,up,in,down,programs}")
    isolated = commands.add_parser("isolated", help="-- COMMAND: run it in a namespace of its own, in which `lab.Lab` can come up")
    up = commands.add_parser("up", help="DIR: bring a lab up; DIR becomes its handle")
    up.add_argument("--foreground", action="store_true", help="stay until Ctrl-C")
    serve = commands.add_parser("serve")
    inside = commands.add_parser("in", help="DIR -- COMMAND: run it inside that lab, kubectl ready to use")
    down = commands.add_parser("down", help="DIR: end that lab")
    commands.add_parser("programs", help="build what is missing, once per machine and version")
    for command in (isolated, up, serve):
        command.add_argument("--cluster", action="store_true", help="without the mesh: etcd, API server, controllers, kubelet stand-in")
    for command in (up, serve):
        command.add_argument("--scrape", default="5s", help="Prometheus' scrape interval (default: %(default)s)")
    for command in (up, serve, inside, down):
        command.add_argument("directory", type=Path, metavar="DIR")
    return parser


def _split(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Ours before the first `--`, the command to run after it."""
    if "--" not in arguments:
        return arguments, ()
    place = list(arguments).index("--")
    return arguments[:place], arguments[place + 1 :]
