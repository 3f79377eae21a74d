"""What the evidence means."""

from dataclasses import replace
from math import inf, log

import pytest

from canary_operator.analysis.evidence import Blame, Evidence, Suspect
from canary_operator.analysis.odds import NOTHING, Counts, Segment
from canary_operator.analysis.sentence import sentence
from canary_operator.analysis.verdict import Rules, Why, Word, incident, judge, judge_bake
from tests.pure.analysis.worlds import EPOCH, folded, interval

DEADLINE, INCIDENT_HOLD = 3600.0, 180.0
DEFAULTS = Rules()


def evidence(canary, stable, weight=5, covered=60.0, **more) -> Evidence:
    """One segment that is the whole, settled step."""
    counts = (Counts(*canary), Counts(*stable))
    return Evidence(weight, (Segment(weight, *counts),), 1, *counts, covered=covered, observed=covered, **more)


# ------------------------------------------------------------------------------------------------ the reference
def decide(canary, stable, age, last, remembered, incident_for):
    """The reference's decision, from one fold and one verdict: the last scrape is folded into what was before it."""
    before = Counts(canary[0] - last[0], canary[1] - last[1])
    suspect = None if remembered is None else Suspect(EPOCH, remembered)
    counts = (before, Counts(*stable))
    stored = Evidence(5, (Segment(5, *counts),), 1, *counts, EPOCH, age - 15, EPOCH, suspect=suspect)
    now = folded(interval(0, 15, last), evidence=stored, since=-1.0).now
    verdict = judge(now, Rules(), incident_for=incident_for)
    remembered = now.suspect.failures if now.suspect and not now.blame else None
    if verdict.word is Word.WORSE:
        return "rollback", remembered
    if incident_for >= INCIDENT_HOLD or (age >= DEADLINE and not verdict.advances):
        return "withdraw", remembered
    return "advance" if verdict.advances else "hold", remembered


@pytest.mark.parametrize(
    ("canary", "stable", "age", "last", "remembered", "incident_for", "expected"),
    [
        pytest.param((50, 1), (950, 0), 30, (12, 1), None, 0, ("hold", 1), id="one failure: remembered"),
        pytest.param((50, 3), (950, 0), 30, (15, 1), None, 0, ("hold", 3), id="over the bar at one scrape"),
        pytest.param((50, 3), (950, 0), 45, (15, 0), 3, 0, ("hold", 3), id="no new failure: not confirmed"),
        pytest.param((60, 4), (1100, 0), 45, (15, 1), 3, 0, ("rollback", None), id="a new failure: confirmed"),
        pytest.param((40, 24), (760, 0), 15, (40, 24), None, 0, ("rollback", None), id="plainly down"),
        pytest.param((900, 0), (17100, 17), 45, (225, 0), None, 0, ("hold", None), id="too early"),
        pytest.param((900, 0), (17100, 17), 60, (225, 0), None, 0, ("advance", None), id="the evidence is in"),
        pytest.param((150, 0), (2850, 3), 120, (8, 0), None, 0, ("hold", None), id="the evidence is not in"),
        pytest.param((150, 0), (2850, 3), 300, (8, 0), None, 0, ("advance", None), id="the clock"),
        pytest.param((4, 0), (76, 0), 300, (0, 0), None, 0, ("hold", None), id="too few requests"),
        pytest.param((4, 0), (76, 0), 3600, (0, 0), None, 0, ("withdraw", None), id="too few until the deadline"),
        pytest.param((20, 1), (380, 0), 300, (1, 0), None, 0, ("hold", 1), id="more likely worse than not"),
        pytest.param((900, 270), (17100, 5130), 90, (225, 70), None, 60, ("hold", None), id="an incident"),
        pytest.param((900, 270), (17100, 5130), 200, (225, 70), None, 180, ("withdraw", None), id="a long incident"),
    ],
)
def test_decides_as_the_reference_does(canary, stable, age, last, remembered, incident_for, expected):
    assert decide(canary, stable, age, last, remembered, incident_for) == expected


# ------------------------------------------------------------------------------------------------ words
FINE = evidence((900, 0), (17100, 17))
THIN = evidence((150, 0), (2850, 3), covered=300.0)


@pytest.mark.parametrize(
    ("known", "rules", "word", "missing"),
    [
        pytest.param(FINE, Rules(), Word.NOT_WORSE, None, id="the evidence is in"),
        pytest.param(THIN, Rules(), Word.UNOPPOSED, None, id="the clock"),
        pytest.param(replace(FINE, covered=45.0), Rules(), Word.GATHERING, "45s of the 1m are observed", id="early"),
        pytest.param(replace(FINE, covered=59.7), Rules(), Word.GATHERING, "59s of the 1m are observed", id="a moment early"),
        pytest.param(
            replace(THIN, covered=299.0),
            Rules(),
            Word.GATHERING,
            "odds that it is not worse are 3.1:1 of 20:1, or 4m59s of the 5m are observed",
            id="evidence or clock",
        ),
        pytest.param(
            THIN,
            Rules(insufficient_data_advances=False),
            Word.GATHERING,
            "odds that it is not worse are 3.1:1 of 20:1",
            id="the clock does not advance",
        ),
        pytest.param(
            evidence((4, 0), (76, 0), covered=300.0),
            Rules(),
            Word.GATHERING,
            "the canary had 4 of 5 requests",
            id="too few requests",
        ),
        pytest.param(
            evidence((20, 1), (380, 0), covered=300.0),
            Rules(),
            Word.SUSPECT,
            "odds against the canary are 3.3:1 and must fall below 2:1",
            id="more likely worse than not",
        ),
        pytest.param(
            evidence((50, 3), (950, 0), suspect=Suspect(EPOCH, 1)),
            Rules(),
            Word.SUSPECT,
            "odds are over the bar: another failure at the next scrape rolls it back",
            id="over the bar",
        ),
        pytest.param(
            evidence((900, 30), (17100, 570), covered=300.0),
            Rules(limit=0.02),
            Word.SUSPECT,
            "odds against the canary are 3.5:1 and must fall below 2:1",
            id="more likely over the limit than not",
        ),
        pytest.param(replace(FINE, blame=Blame(EPOCH, Why.ODDS)), Rules(), Word.WORSE, None, id="blamed"),
        pytest.param(Evidence(), Rules(), Word.GATHERING, "0s of the 1m are observed", id="nothing known"),
    ],
)
def test_says_the_word_and_what_is_missing(known, rules, word, missing):
    verdict = judge(known, rules)
    assert (verdict.word, verdict.missing) == (word, missing)


@pytest.mark.parametrize(("requests", "word"), [pytest.param(395, Word.GATHERING, id="19:1"), pytest.param(396, Word.NOT_WORSE, id="20:1")])
def test_twenty_to_one_ends_a_step_early(requests, word):
    assert judge(evidence((requests, 0), (19 * requests, 0)), Rules()).word is word


def test_never_rises_on_counts_of_one_arm_alone():
    known = evidence((535, 118), (0, 0), covered=300.0)
    verdict = judge(known, DEFAULTS)
    assert (verdict.word, verdict.missing) == (Word.GATHERING, "stable had no requests to compare the canary with")


@pytest.mark.parametrize(("failures", "word"), [pytest.param(4, Word.UNOPPOSED, id="1.6:1"), pytest.param(5, Word.SUSPECT, id="3.4:1")])
def test_two_to_one_against_it_gives_it_no_more_traffic(failures, word):
    assert judge_bake(baking((600, failures)), None, BAKE).word is word


def test_an_incident_holds_and_is_named():
    missing = judge(FINE, Rules(), incident_for=20.0).missing
    assert missing == "stable itself fails more than before the release, for 20s"


def test_only_two_words_let_it_rise():
    words = [judge(known, Rules()) for known in (FINE, THIN, Evidence(), evidence((20, 1), (380, 0)))]
    assert [verdict.advances for verdict in words] == [True, True, False, False]


def test_shows_by_how_much_it_is_worse_at_least():
    assert judge(evidence((50, 3), (950, 0)), Rules()).least == pytest.approx(0.00256949, abs=6e-9)


def test_shows_by_how_much_it_is_worse_at_most():
    assert judge(evidence((50, 3), (950, 0)), Rules()).most == pytest.approx(0.21515735, abs=6e-9)


def test_noise_weakens_both_odds():
    quiet, noisy = (judge(evidence((50, 3), (950, 0)), Rules(noise=noise)) for noise in (1.0, 2.5))
    assert (noisy.ln_worse < quiet.ln_worse, noisy.ln_not_worse > quiet.ln_not_worse) == (True, True)


def test_no_limit_no_odds_against_it():
    assert judge(FINE, Rules()).ln_limit is None


@pytest.mark.parametrize(
    ("rules", "bar"),
    [
        pytest.param(Rules(), log(100), id="one witness"),
        pytest.param(Rules(limit=0.05), log(200), id="two witnesses"),
        pytest.param(Rules(confidence=95.0), log(20), id="less confidence"),
        pytest.param(Rules(confidence=100.0), inf, id="no doubt allowed"),
    ],
)
def test_the_bar_follows_confidence_and_witnesses(rules, bar):
    assert rules.ln_bar == pytest.approx(bar)


# ------------------------------------------------------------------------------------------------ bake
STEP = Segment(50, Counts(6000, 6), Counts(6000, 6))
BAKE = Rules(hold_min=120.0, insufficient_data_advances=False)


def baking(canary, covered=120.0, **more) -> Evidence:
    return Evidence(100, (STEP, Segment(100, Counts(*canary), NOTHING)), 1, covered=covered, **more)


@pytest.mark.parametrize(
    ("known", "word", "missing"),
    [
        pytest.param(baking((600, 0)), Word.UNOPPOSED, None, id="nothing speaks against it"),
        pytest.param(baking((0, 0)), Word.UNOPPOSED, None, id="no requests"),
        pytest.param(baking((600, 0), 100.0), Word.GATHERING, "1m40s of the 2m are observed", id="not over yet"),
        pytest.param(baking((600, 6)), Word.SUSPECT, "odds against the canary are 9.1:1 and must fall below 2:1", id="suspect"),
        pytest.param(baking((600, 9), blame=Blame(EPOCH, Why.ODDS)), Word.WORSE, None, id="blamed"),
    ],
)
def test_a_bake_ends_by_the_clock_when_nothing_speaks_against_it(known, word, missing):
    verdict = judge_bake(known, None, BAKE)
    assert (verdict.word, verdict.missing) == (word, missing)


def test_a_bake_is_compared_with_stable_of_the_release():
    assert judge_bake(baking((600, 0)), None, BAKE).stable == Counts(6000, 6)


def test_what_stable_still_got_at_full_weight_is_no_yardstick():
    late = replace(baking((600, 0)), segments=(STEP, Segment(100, Counts(600, 0), Counts(9, 9))))
    assert judge_bake(late, None, BAKE).stable == Counts(6000, 6)


def test_a_bake_is_compared_with_the_counts_that_are_given():
    assert judge_bake(baking((600, 6)), Counts(600, 6), BAKE).word is Word.UNOPPOSED


# ------------------------------------------------------------------------------------------------ incident
@pytest.mark.parametrize(
    ("found", "happens"),
    [
        pytest.param([interval(0, 15, stable=(100, 10))], True, id="10 % instead of 1 %"),
        pytest.param([interval(0, 15, stable=(1000, 60))], False, id="5 points more"),
        pytest.param([interval(0, 15, stable=(1000, 61))], True, id="above 5 points more"),
        pytest.param([interval(0, 15, stable=(19, 19))], False, id="too few requests"),
        pytest.param([interval(0, 15, stable=(20, 9))], False, id="too few failures"),
        pytest.param([interval(0, 15, canary=(100, 50), stable=(100, 0))], False, id="the canary alone"),
        pytest.param([interval(0, 15, stable=(100, 99)), interval(60, 75, stable=(100, 0))], False, id="over again"),
        pytest.param([], False, id="no samples"),
    ],
)
def test_stable_has_an_incident(found, happens):
    assert incident(found, 0.01) is happens


# ------------------------------------------------------------------------------------------------ the sentence
def said(known, rules=DEFAULTS, judged=judge):
    return sentence(judged(known, rules), known)


def test_tells_what_speaks_against_the_canary():
    assert said(evidence((412, 12), (7803, 9), covered=195.0)) == (
        "canary failed 12 of 412 requests, stable 9 of 7803 in the same 3m15s; odds 4.4 million:1 (needed 100:1) "
        "that it is worse by more than 0.1 points; at least 0.65 points worse"
    )


def test_tells_that_it_is_plainly_down():
    down = evidence((40, 24), (760, 0), covered=15.0, last=Counts(40, 24), blame=Blame(EPOCH, Why.PLAINLY_DOWN))
    assert said(down).startswith("canary failed 24 of its last 40 requests; canary failed 24 of 40 requests, stable 0 ")


def test_tells_that_the_limit_is_passed():
    text = said(evidence((600, 120), (11400, 2280)), Rules(limit=0.05))
    assert text.endswith("(needed 200:1) that it fails more than 5 % of its requests")


def test_tells_of_the_odds_when_they_are_louder_than_the_limit():
    text = said(evidence((412, 12), (7803, 9)), Rules(limit=0.05))
    assert "(needed 200:1) that it is worse by more than 0.1 points" in text


def test_tells_why_it_may_rise():
    assert said(FINE) == (
        "canary failed 0 of 900 requests, stable 17 of 17100 in the same 1m; odds 5,252:1 (needed 20:1) that it is not worse by 1 point"
    )


def test_tells_that_the_clock_let_it_rise():
    assert said(THIN).endswith("stable 3 of 2850 in the same 5m; nothing speaks against it after 5m")


def test_tells_what_is_missing():
    assert said(replace(FINE, covered=45.0)).endswith("in the same 45s; 45s of the 1m are observed")


def test_tells_of_a_bake():
    def bake(known, rules):
        return judge_bake(known, None, rules)

    assert said(baking((600, 1)), BAKE, bake) == (
        "canary failed 1 of 600 requests, stable 6 of 6000 before; 2m observed at 100 %; nothing speaks against it after 2m"
    )
