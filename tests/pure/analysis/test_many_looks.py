"""Many looks at the same samples store and say the same as one, whatever they are."""

from hypothesis import given
from hypothesis import strategies as st

from canary_operator.analysis.evidence import Evidence, fold
from canary_operator.analysis.verdict import Rules, judge
from tests.pure.analysis.worlds import EPOCH, few, worlds


def fold_world(world, evidence, until, since=-1.0):
    found = world.intervals(until, since)
    return fold(evidence, found, weight=5, since=EPOCH, settled_at=EPOCH + 7, rules=Rules())


looks = st.lists(st.floats(0.0, 1.0), max_size=6)


@few
@given(worlds(), looks)
def test_many_looks_store_the_same_as_one(world, times):
    evidence = Evidence()
    for look in (*sorted(times), 1.0):
        evidence = fold_world(world, evidence, look * world.end).committed
    assert evidence == fold_world(world, Evidence(), world.end).committed


@few
@given(worlds(), st.floats(0.0, 1.0))
def test_a_restart_that_asks_from_the_checkpoint_on_judges_the_same(world, crash):
    stored = fold_world(world, Evidence(), crash * world.end).committed
    since = (stored.reached or EPOCH) - EPOCH - 3 * world.spacing
    assert fold_world(world, stored, world.end, since) == fold_world(world, Evidence(), world.end)


@few
@given(worlds(1), looks)
def test_every_look_at_one_proxy_ends_in_the_same_verdict(world, times):
    evidence = Evidence()
    for look in (*sorted(times), 1.0):
        step = fold_world(world, evidence, look * world.end)
        evidence = step.committed
    assert judge(step.now, Rules()) == judge(fold_world(world, Evidence(), world.end).now, Rules())


@few
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_intervals_does_not_matter(world, random):
    found = list(world.intervals(world.end))
    shuffled = random.sample(found, len(found))
    rules = {"weight": 5, "since": EPOCH, "settled_at": EPOCH, "rules": Rules()}
    assert fold(Evidence(), shuffled, **rules) == fold(Evidence(), found, **rules)


@few
@given(worlds())
def test_every_count_after_the_write_is_in_a_segment(world):
    found = world.intervals(world.end)
    now = fold_world(world, Evidence(), world.end).now
    assert sum(one.canary.requests for one in now.segments) == sum(one.canary.requests for one in found)


@few
@given(worlds())
def test_covered_time_never_exceeds_the_time_that_passed(world):
    now = fold_world(world, Evidence(), world.end).now
    assert 0.0 <= now.covered <= (now.reached or EPOCH) - EPOCH + 0.001
