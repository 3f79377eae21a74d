"""docs/simulate.md and its pictures: every block that begins with `$ canary-operator simulate` shows what the command prints today."""

import io
import re
import shlex
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from click.testing import CliRunner

from canary_operator.cli.main import main

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "simulate.md"
COLUMNS = "118"
_BLOCK = re.compile(r"```\n\$ canary-operator (simulate .*?)\n.*?```", re.DOTALL)
_PICTURE = re.compile(r"docs/images/simulate-[a-z-]+\.svg")


@cache
def _played() -> tuple[str, dict[str, str]]:
    """The page as it should be, and the pictures by their paths."""
    pictures: dict[str, str] = {}

    def answered(block: re.Match[str]) -> str:
        words = shlex.split(block[1])
        with TemporaryDirectory() as place, redirect_stdout(io.StringIO()):
            for number, word in enumerate(words):
                if word.startswith("examples/"):
                    words[number] = str(ROOT / word)
                if _PICTURE.fullmatch(word):
                    words[number] = str(Path(place) / "picture.svg")
                    path = word
            done = CliRunner(env={"COLUMNS": COLUMNS}).invoke(main, words)
            if done.exit_code:
                raise SystemExit(f"docs/simulate.md: {block[1]}: {done.output}")
            if "--svg" in words:
                pictures[path] = (Path(place) / "picture.svg").read_text(encoding="utf-8")
        return f"```\n$ canary-operator {block[1]}\n{done.stdout}```"

    return _BLOCK.sub(answered, PAGE.read_text(encoding="utf-8")), pictures


def simulated_page() -> str:
    """The page, with what its commands print."""
    return _played()[0]


def picture(path: str) -> str:
    """The picture that a command of the page draws into this path."""
    return _played()[1][path]


def picture_paths() -> list[str]:
    """All pictures that the page's commands draw."""
    return sorted({path for block in _BLOCK.findall(PAGE.read_text(encoding="utf-8")) for path in _PICTURE.findall(block)})
