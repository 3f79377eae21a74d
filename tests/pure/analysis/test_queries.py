"""Looks outside the bounds in a row: each rests on samples of its own, in whatever order, how often and after however many restarts they come."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.analysis.queries import Query, Row, begin_again, counted, row_of
from canary_operator.analysis.samples import NoData, QueryFailed
from canary_operator.analysis.value import Refused, Value

DEPTH = Query("depth", "max(depth)", None, 100.0, 10.0, 3, "a1")
FRESH = Row("depth", "a1")
BAD, GOOD = 120.0, 42.0


def after(
    *answers: object, row: Row = FRESH, since: float | None = 0.0, settled_at: float | None = 5.0, scraped: float | None = None
) -> Row:
    """The row after these answers; Prometheus is known to have scraped a second before each, unless said otherwise."""
    for answer in answers:
        known = scraped if scraped is not None or not isinstance(answer, Value) else answer.at - 1
        row = counted(row, DEPTH, answer, since=since, settled_at=settled_at, scraped=known)
    return row


def test_values_outside_in_a_row_are_counted() -> None:
    assert after(Value(12, BAD), Value(22, BAD), Value(32, BAD)) == replace(FRESH, at=32, value=BAD, outside=3)


def test_one_inside_begins_the_row_anew() -> None:
    assert after(Value(12, BAD), Value(22, GOOD), Value(32, BAD)).outside == 1


@pytest.mark.parametrize("nothing", [None, NoData("no series"), QueryFailed("down"), Refused("no query")])
def test_no_value_neither_counts_nor_ends_the_row(nothing: object) -> None:
    assert after(Value(12, BAD), nothing, Value(32, BAD)).outside == 2


NOT_COUNTED = [
    pytest.param(Value(22, BAD), {"since": None}, id="the canary has no weight"),
    pytest.param(Value(9, BAD), {}, id="what was scraped before the weight was written"),
    pytest.param(Value(22, BAD), {"row": replace(FRESH, at=12.001)}, id="nearer to the last look than its interval"),
    pytest.param(Value(22, BAD), {"row": replace(FRESH, at=40.0)}, id="older than the last look"),
    pytest.param(
        Value(22, BAD), {"row": replace(FRESH, at=12.0), "scraped": 11.9}, id="Prometheus has scraped nothing since the last look"
    ),
    pytest.param(Value(22, BAD), {"scraped": -1.0}, id="Prometheus has scraped nothing since the weight"),
]


@pytest.mark.parametrize(("value", "given_"), NOT_COUNTED)
def test_what_rests_on_no_new_sample_changes_nothing(value: Value, given_: dict[str, object]) -> None:
    row = given_.get("row", FRESH)
    assert after(value, **given_) == row  # type: ignore[arg-type]


@pytest.mark.parametrize(("at", "inside"), [(14.9, False), (15.0, True)])
def test_a_value_speaks_for_a_step_that_had_settled_before_all_its_samples(at: float, inside: bool) -> None:
    assert after(Value(at, GOOD)).inside is inside


def test_unsettled_nothing_speaks_for_it_but_what_speaks_against_it_counts() -> None:
    assert after(Value(22, GOOD), settled_at=None).inside is False
    assert after(Value(22, BAD), settled_at=None).outside == 1


def test_a_new_step_begins_the_row_anew_and_counts_nothing_twice() -> None:
    (row,) = begin_again((after(Value(12, BAD), Value(22, BAD)),))
    assert (row.outside, row.inside, row.at) == (0, False, 22)
    assert after(Value(22, BAD), Value(31, BAD), row=row) == row


@pytest.mark.parametrize("edited", [replace(DEPTH, name="other"), replace(DEPTH, identity="b2")])
def test_an_edited_query_is_judged_anew(edited: Query) -> None:
    assert row_of((replace(FRESH, outside=2, at=12.0),), edited) == Row(edited.name, edited.identity)


@pytest.mark.parametrize(
    ("query", "value", "said"),
    [
        (DEPTH, 100.0, None),
        (DEPTH, 100.5, "above its max of 100"),
        (replace(DEPTH, minimum=0.25, maximum=None), 0.25, None),
        (replace(DEPTH, minimum=0.25, maximum=None), 0.2, "below its min of 0.25"),
        (replace(DEPTH, minimum=-2.0), -3.0, "below its min of -2"),
    ],
)
def test_bounds_are_good_themselves(query: Query, value: float, said: str | None) -> None:
    assert query.breach(value) == said


LOOKS = st.lists(
    st.tuples(st.floats(0, 300), st.booleans()).map(lambda look: Value(round(look[0], 3), BAD if look[1] else GOOD)), max_size=40
)


@given(looks=LOOKS, order=st.randoms(use_true_random=False), lost=st.sets(st.integers(0, 79)))
def test_in_any_order_with_duplicates_and_restarts_no_sample_counts_twice(looks: list[Value], order: object, lost: set[int]) -> None:
    """A restart goes back to the row that was stored last; the looks after it are the same ones and new ones."""
    coming = [*looks, *looks]
    order.shuffle(coming)  # type: ignore[attr-defined]
    row = stored = FRESH
    ends: list[float] = []
    for number, look in enumerate(coming):
        if number in lost:
            row, ends = stored, [end for end in ends if stored.at is not None and end <= stored.at]
        before, row = row, counted(row, DEPTH, look, since=0.0, settled_at=5.0, scraped=look.at)
        if row != before:
            assert look.at - DEPTH.interval >= (before.at or 0.0)
            ends.append(look.at)
        if number % 3 == 0:
            stored = row
    assert all(later - earlier >= DEPTH.interval for earlier, later in zip(ends, ends[1:], strict=False))
    assert row.outside <= len(ends)


@given(looks=LOOKS)
def test_a_frozen_prometheus_counts_once(looks: list[Value]) -> None:
    """Its clock goes on and it goes on answering, but its newest sample stays."""
    row, changes = FRESH, 0
    for look in sorted(looks, key=lambda look: look.at):
        before, row = row, counted(row, DEPTH, look, since=0.0, settled_at=5.0, scraped=7.0)
        changes += row != before
    assert changes <= 1
