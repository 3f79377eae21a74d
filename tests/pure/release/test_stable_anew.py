"""The template of stable changes under the same label: it is told with both hashes, and status names the new one everywhere at once."""

from dataclasses import replace

from canary_operator.release import reasons
from canary_operator.release.model import Announce, RecordState
from tests.builders import release

REST = release().at_rest().wanting("v1")
ANEW = REST.deployed("v1", template=2)


def test_at_rest_it_is_told_once_with_both_hashes() -> None:
    decision = ANEW.decide()

    assert decision.effects == (
        RecordState(),
        Announce(decision.effects[-1].because if isinstance(decision.effects[-1], Announce) else decision.because),
    )
    told = [effect.because for effect in decision.effects if isinstance(effect, Announce)]
    assert [(each.reason, each.message) for each in told] == [
        (reasons.STABLE_CHANGED, "stable v1@t1 was deployed anew as v1@t2; the version is the same")
    ]
    assert not ANEW.observing(stable="v1@t2").decide().effects


def test_message_and_stable_name_the_same_revision() -> None:
    status = ANEW.status()
    assert (status.stable, status.message) == ("v1@t2", "v1@t2 serves everything")


def test_while_a_release_runs_both_are_named_too() -> None:
    running = release().at_step(2, since=50).healthy().deployed("v1", template=2)
    told = [effect.because.message for effect in running.decide().effects if isinstance(effect, Announce)]
    assert told == ["stable v1@t1 was deployed anew as v1@t2; evidence starts again"]


def test_a_release_that_starts_in_that_pass_starts_from_it() -> None:
    started = replace(release().at_rest().deployed("v2")).deployed("v1", template=2).decide()
    assert started.state.from_ == "v1@t2"
