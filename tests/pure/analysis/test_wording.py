"""Numbers as a person reads them."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.analysis.wording import odds_text, points_text, seconds_text
from tests.pure.analysis.worlds import few


@pytest.mark.parametrize(
    ("ln", "text"),
    [
        pytest.param(0.0, "1:1", id="even"),
        pytest.param(log(2.54), "2.5:1", id="small odds keep a digit"),
        pytest.param(log(9.97), "10:1", id="nearly ten"),
        pytest.param(log(340), "340:1", id="hundreds"),
        pytest.param(log(12_345), "12,345:1", id="thousands"),
        pytest.param(log(4_410_000), "4.4 million:1", id="millions"),
        pytest.param(log(37e9), "37 billion:1", id="billions"),
        pytest.param(log(5e12), "5.0 trillion:1", id="trillions"),
        pytest.param(126.0, "10^55:1", id="beyond names"),
        pytest.param(-log(20), "1:20", id="odds against"),
        pytest.param(-1e6, "1:10^434294", id="beyond floats"),
    ],
)
def test_odds_are_read_as_one_to_many(ln, text):
    assert odds_text(ln) == text


@few
@given(st.floats(-1e9, 1e9))
def test_odds_always_have_one_side_of_one(ln):
    assert "1" in odds_text(ln).split(":")


@pytest.mark.parametrize(("share", "text"), [(0.001, "0.1 points"), (0.01, "1 point"), (0.0065, "0.65 points")])
def test_differences_are_read_in_points(share, text):
    assert points_text(share) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0s"), (59.6, "1m"), (195, "3m15s"), (3605, "1h5s")])
def test_spans_are_read_in_hours_minutes_and_seconds(seconds, text):
    assert seconds_text(seconds) == text
