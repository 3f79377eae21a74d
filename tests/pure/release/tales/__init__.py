"""The stories that are kept as golden text: what happens, in order. `golden` writes them, `test_stories` compares."""

from collections.abc import Callable, Iterator

from tests.pure.release.tales import gone, paces, people, queries, routes, verdicts
from tests.pure.release.tales.story import Story

__all__ = ["TALES", "Story", "texts"]

TALES: tuple[Callable[[], Story], ...] = (
    verdicts.good_release,
    verdicts.twenty_percent_fail,
    verdicts.every_request_fails,
    verdicts.failures_begin_late,
    verdicts.no_traffic,
    verdicts.prometheus_outage,
    verdicts.canary_loses_its_pods_once,
    verdicts.canary_loses_its_pods_twice,
    verdicts.stable_gone,
    gone.stable_gone_in_a_release,
    gone.stable_gone_at_rest,
    gone.stable_gone_and_promoted,
    gone.aborted_while_stable_is_gone,
    gone.replaced_in_place,
    people.abort,
    people.retry,
    people.approval,
    people.approval_is_awaited_and_the_canary_fails,
    people.paused_and_resumed,
    people.promoted_by_hand,
    people.skipped_by_hand_without_prometheus,
    people.suspended,
    people.held_after_a_failure,
    people.held_and_aborted,
    people.steps_edited,
    routes.preview_and_mirror,
    paces.paced,
    paces.paced_and_twenty_percent_fail,
    paces.paced_and_every_request_fails,
    paces.paced_with_much_traffic,
    paces.paced_with_approval,
    paces.paced_without_traffic,
    paces.pace_edited_to_steps_and_back,
    routes.drift,
    routes.attached,
    routes.attached_route_goes_missing,
    routes.drift_fight,
    verdicts.operator_restarts_mid_step,
    queries.a_query_leaves_its_bounds,
    queries.a_query_answers_nothing_for_a_while,
    queries.a_query_is_wrong,
    verdicts.superseded,
    people.deleted_mid_way,
    people.deleted_at_rest,
)


def texts() -> Iterator[tuple[str, str]]:
    """The name of every story's file, and what should stand in it."""
    for tale in TALES:
        yield f"{tale.__name__}.txt", "\n".join(tale().lines) + "\n"
