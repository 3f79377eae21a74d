"""A release on real traffic: what users of the service notice (nothing), and what the API server is told."""

from tests.mesh.shop import Shop


def test_a_good_version_is_promoted_and_no_request_is_lost(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load(100, ("gateway", "mesh"))
    shop.version("v2")
    shop.want("v2")
    past = shop.wait_ended(1)
    report = load.stop()
    assert (past["outcome"], past["revision"].split("@")[0]) == ("Promoted", "v2")
    assert report.lost == 0, report
    assert report.failed() == 0
    assert shop.condition("Promoted") == shop.condition("Ready") == "True"
    shop.assert_rules()


def test_a_version_that_fails_every_fifth_request_is_rolled_back_and_stays_back(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    shop.version("v2", error_share=0.2)
    shop.want("v2")
    past = shop.wait_ended(1)
    report = load.stop()
    assert (past["outcome"], past["reason"]) == ("RolledBack", "MoreFailures")
    assert shop.weight == 0
    assert report.lost == 0, report
    assert (shop.status["phase"], shop.condition("Stalled"), shop.condition("Promoted")) == ("RolledBack", "True", "False")
    shop.assert_rules()


def test_a_version_that_fails_everything_is_the_clearest_failure_not_missing_data(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    shop.version("v2", error_share=1.0)
    shop.want("v2")
    past = shop.wait_ended(1)
    load.stop()
    assert (past["outcome"], past["reason"]) == ("RolledBack", "MoreFailures")
    shop.assert_rules()


def test_a_service_under_load_is_taken_over_without_losing_a_request(shop: Shop) -> None:
    shop.version("v1")
    load = shop.load()
    shop.release("v1", traffic={"owned": {}})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    report = load.stop()
    assert report.lost == 0, report
    shop.assert_rules()


def test_an_abort_takes_all_traffic_back_and_a_retry_opens_a_new_release(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1", steps=[{"weight": 25, "hold": {"min": "60s", "max": "120s"}}])
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    shop.version("v2")
    shop.want("v2")
    shop.wait_weight(25)
    shop.act("abort")
    past = shop.wait_ended(1)
    assert (past["outcome"], past["reason"], shop.weight) == ("Withdrawn", "Aborted", 0)
    assert shop.status["lastAction"] == "abort/1/1"
    shop.patch({"spec": {"steps": [{"weight": 50, "hold": {"min": "1s", "max": "20s"}}]}})
    shop.act("retry", 2)
    assert shop.wait_ended(2)["outcome"] == "Promoted"
    assert load.stop().lost == 0
    shop.assert_rules()


def test_a_canary_that_breaks_at_full_weight_goes_back_while_the_old_version_is_still_there(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1", bake="60s")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    v2 = shop.version("v2")
    shop.want("v2")
    shop.wait_weight(100)
    v2.behave(error_share=0.5)
    past = shop.wait_ended(1)
    load.stop()
    assert (past["outcome"], past["reason"], shop.weight) == ("RolledBack", "MoreFailures", 0)
    shop.assert_rules()
