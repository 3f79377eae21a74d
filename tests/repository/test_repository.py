"""What must hold of the repository itself: its layout, its lock, its words, its commands."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

import canary_operator
from canary_operator import settings
from canary_operator.api import names
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.clients import kinds
from tools import runtime_lock

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = runtime_lock.packages((ROOT / "requirements.lock").read_text(encoding="utf-8"))
INSTALL = list(yaml.safe_load_all((ROOT / "deploy" / "install.yaml").read_text(encoding="utf-8")))
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def test_the_source_root_is_no_package() -> None:
    """With it, `python -m` from the repository's top would find this folder in place of the standard library's module of that name."""
    assert not (ROOT / "operator" / "__init__.py").exists()


# ------------------------------------------------------------------------------------------------------------------------------ the lock


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def _declared() -> Iterator[str]:
    yield from PROJECT["project"]["dependencies"]
    for group in PROJECT["dependency-groups"].values():
        yield from group


@pytest.mark.parametrize("requirement", list(_declared()), ids=_name)
def test_every_dependency_is_locked(requirement: str) -> None:
    assert _name(requirement) in LOCK


@pytest.mark.parametrize("package", list(LOCK))
def test_every_locked_package_has_a_version_and_a_hash(package: str) -> None:
    assert re.match(rf"{re.escape(package)}==\S+ ", LOCK[package])
    assert "--hash=sha256:" in LOCK[package]


def test_the_image_installs_what_the_operator_needs_and_no_more() -> None:
    """By the installed packages' own metadata, which the lock's comments repeat."""
    runtime = set(runtime_lock.runtime((ROOT / "requirements.lock").read_text(encoding="utf-8")))
    needed = {_name(requirement) for requirement in PROJECT["project"]["dependencies"]}
    waiting = list(needed)
    while waiting:
        package = waiting.pop()
        below = {_name(requirement) for requirement in requires(package) or () if "extra ==" not in requirement} & set(LOCK)
        waiting += below - needed
        needed |= below

    assert needed <= runtime
    assert runtime - needed <= {"aiohttp-retry", "tzdata", "typing-extensions"}  # wanted by an extra or on other platforms
    assert not runtime & {_name(requirement) for requirement in PROJECT["dependency-groups"]["dev"]}


# ----------------------------------------------------------------------------------------------------------------------------- the words


@cache
def _files() -> tuple[Path, ...]:
    """What is tracked, and what would be with the next commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return tuple(path for path in map(ROOT.joinpath, listed) if path.is_file() and path.suffix != ".sum")


# Written in pieces, so that this file does not hold what it looks for.
_REGISTRIES = "|".join(("py" + "pi", "python" + "hosted", "go" + "lang", "npm" + "js", "cra" + "tes", "ma" + "ven", "deb" + "ian"))
FORBIDDEN = {
    "a registry's address": rf"https?://[a-z0-9.-]*\b(?:{_REGISTRIES})\.",
    "a registry's host": "|".join((r"\bpy" + r"pi\.org", r"python" + r"hosted\.org", r"(?:proxy|sum)\.go" + r"lang\.org")),
    "a path of one machine": r"(?:^|[^a-z0-9_.-])/(?:wo" + r"rk|fa" + r"rm|ro" + r"ot|ho" + r"me/[a-z])/",
    "a job of somebody's shell": "bash" + "_jobs",
}


@pytest.mark.parametrize("what", list(FORBIDDEN))
def test_no_file_holds(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what], re.MULTILINE)

    found = {str(path.relative_to(ROOT)): match[0] for path in _files() if (match := pattern.search(path.read_text("utf-8", "ignore")))}
    assert not found


# -------------------------------------------------------------------------------------------------------------------------- the commands


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")), ids=lambda path: path.name)
def test_every_make_target_that_a_document_names_exists(document: Path) -> None:
    named = set(re.findall(r"(?:^|`|\$ )make ([a-z][a-z-]*)", document.read_text(encoding="utf-8"), flags=re.MULTILINE))

    assert named <= _targets()


def test_ci_runs_make_test_and_nothing_else() -> None:
    lines = [line.strip() for line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()]
    commands = [line for line in lines if line and not line.startswith(("#", "set ", "cd "))]

    assert [re.sub(r"^exec ", "", command) for command in commands] == ["make test"]


# ------------------------------------------------------------------------------------------------------------------- examples and deploy


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_operators_types_read_the_example(path: Path) -> None:
    [document] = yaml.safe_load_all(path.read_text(encoding="utf-8"))

    assert (document["apiVersion"], document["kind"]) == (names.API_VERSION, names.KIND)
    read = TypeAdapter(CanaryReleaseSpec).dump_python(TypeAdapter(CanaryReleaseSpec).validate_python(document["spec"]), mode="json")
    assert _within(document["spec"], read)


def _within(part: object, whole: object) -> bool:
    """Whether everything that is written was read, and as it was written."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and _within(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list | tuple):
        return len(part) == len(whole) and all(map(_within, part, whole))
    return part == whole


def test_the_installed_configuration_is_one_that_the_operator_reads() -> None:
    [text] = [document["data"]["config.yaml"] for document in INSTALL if document["kind"] == "ConfigMap"]

    read = settings.load(text)
    assert read == settings.Settings(
        prometheus={"default": settings.Provider("http://prometheus.monitoring:9090")}, leader_election=settings.Election()
    )


def test_versions_agree() -> None:
    [image] = [document["spec"]["template"]["spec"]["containers"][0]["image"] for document in INSTALL if document["kind"] == "Deployment"]

    assert PROJECT["project"]["version"] == canary_operator.__version__ == image.rpartition(":")[2]


@pytest.mark.parametrize("kind", [value for value in vars(kinds).values() if isinstance(value, kinds.Kind)], ids=lambda kind: kind.resource)
def test_the_installed_rights_cover_every_kind_that_the_operator_speaks_of(kind: kinds.Kind) -> None:
    rules = [rule for document in INSTALL if document["kind"] in ("ClusterRole", "Role") for rule in document["rules"]]
    granted = {verb for rule in rules if kind.group in rule["apiGroups"] and kind.plural in rule["resources"] for verb in rule["verbs"]}

    needed = {"list", "watch"} if kind in kinds.WATCHED else {"create"} if kind == kinds.EVENT else set()
    assert granted >= needed
    assert kind not in kinds.LOOKED_UP or granted & {"get", "list"} and not granted - {"get", "list"}


def test_the_image_is_made_of_files_that_exist() -> None:
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    let_in = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()

    for source in " ".join(copied).split():
        assert (ROOT / source).exists()
        assert f"!{source}" in let_in
