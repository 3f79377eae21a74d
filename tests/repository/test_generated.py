"""What is derived from the types is what they say now."""

from pathlib import Path

import pytest

from tools import custom_resource, generate

# That the files are fresh is asked by `make check` itself: playing what docs/simulate.md shows takes a while.


def test_the_check_names_every_file_that_is_stale_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    generate.main([])
    capsys.readouterr()
    stale = ""
    for name in generate.FILES:
        (tmp_path / name).write_text("edited by hand", encoding="utf-8")
        stale += f"{name} is stale: run `make generate`\n"
        assert generate.main(["--check"]) == 1
        assert capsys.readouterr().err == stale
    assert {(tmp_path / name).read_text(encoding="utf-8") for name in generate.FILES} == {"edited by hand"}


def test_generating_twice_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    generate.main([])
    capsys.readouterr()

    assert generate.main([]) == 0
    assert capsys.readouterr().out == "nothing changed\n"
    assert generate.main(["--check"]) == 0


def test_every_list_and_text_of_spec_is_bounded() -> None:
    """The API server's cost limits for CEL, and the operator's memory, rest on it."""
    nodes = list(custom_resource.nodes(custom_resource.spec_schema()))

    assert all("maxItems" in node for node in nodes if node["type"] == "array")
    assert all(node.keys() & {"maxLength", "enum"} for node in nodes if node["type"] == "string")
    assert all("maximum" in node for node in nodes if node["type"] == "integer")


def test_no_number_of_spec_is_a_float() -> None:
    assert not [node for node in custom_resource.nodes(custom_resource.spec_schema()) if node["type"] == "number"]


def test_everything_is_described() -> None:
    for schema in (custom_resource.spec_schema(), custom_resource.status_schema()):
        for node in custom_resource.nodes(schema):
            fields = node.get("properties", {})
            assert not [name for name, field in fields.items() if not field.get("description", "").endswith((".", "/n`."))]
