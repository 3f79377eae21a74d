"""Recall, precision, and what is listed as wrong or long."""

from dataclasses import replace

from bench.failure_modes.scores import BACK, BLAMED, HELD, PROMOTED, Result, precision, recall, report

FOUND = Result("all fail", True, 1.0, 100, 15, BLAMED, "MoreFailures", 17, 2.0, "1/0")
FINE = Result("neither fails", False, 0.0, 100, 15, PROMOTED, "Promoted", 0, None, "1/1")


def test_a_bad_version_is_found_when_its_traffic_is_taken_away_with_or_without_blame():
    results = [replace(FOUND, end=end) for end in (BLAMED, BACK, HELD, PROMOTED)]
    assert recall([*results, FINE]) == 0.5


def test_precision_counts_blame_alone():
    assert precision([FOUND, FOUND, FOUND, replace(FINE, end=BLAMED), replace(FINE, end=BACK), FINE]) == 0.75


def test_nothing_to_divide_by_is_no_share():
    assert recall([FINE]) is None
    assert precision([FINE]) is None


def test_the_report_names_what_is_wrong_with_its_seed_and_what_took_long():
    lines = list(
        report([FOUND, replace(FOUND, mode="a leak", end=PROMOTED, seconds=None, seed="7/x"), replace(FOUND, mode="slow", seconds=300)])
    )
    told = "\n".join(lines)
    assert "recall 66.67 % of 3 releases" in told
    assert "- a leak, 100/s, scrape 15 s: promoted (MoreFailures), 17 hurt; seed 7/x" in told
    assert "- slow, 100/s, scrape 15 s: 17, 300 s" in told
    assert "| bad | 2 | 0 | 0 | 1 |" in told


def test_weak_faults_are_told_apart():
    lines = list(report([FOUND, replace(FOUND, hurts=0.02, end=PROMOTED)]))
    assert lines[:2] == [
        "recall 100.00 % of 1 releases with faults that hurt 5 % or more",
        "recall 0.00 % of 1 releases with weaker faults",
    ]
