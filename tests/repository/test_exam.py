"""The exam of the tests stays possible: every place that it breaks is there, and every test that has to notice."""

import re
from pathlib import Path

import pytest

from tests.exam.mutant import PACKAGE, Mutant
from tests.exam.mutants import MUTANTS
from tests.faults.plans import Plan
from tests.faults.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parents[2]
by_name = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)


@by_name
def test_what_is_broken_stands_there_once(mutant: Mutant) -> None:
    assert (ROOT / PACKAGE / mutant.file).read_text(encoding="utf-8").count(mutant.old) == 1
    assert mutant.old != mutant.new


@by_name
def test_who_has_to_notice_exists(mutant: Mutant) -> None:
    assert mutant.killers
    for text in mutant.killers:
        file, _, name = text.partition("::")
        if name:
            assert re.search(rf"^(async )?def {name.partition('[')[0]}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), text
        else:
            assert Plan.parse(text).scenario in SCENARIOS


def test_no_two_mutants_have_one_name() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
