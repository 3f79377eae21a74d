"""Which requests count as failed."""

import pytest

from canary_operator.analysis.failures import CUT, FailureCodes, Outcome, untold_label

CODES = FailureCodes()


def http(code, flags="-"):
    return {"request_protocol": "http", "response_code": code, "response_flags": flags}


def grpc(status, code="200", flags="-"):
    return {"request_protocol": "grpc", "response_code": code, "grpc_response_status": status, "response_flags": flags}


@pytest.mark.parametrize(
    ("labels", "outcome"),
    [
        pytest.param(http("200"), Outcome.SUCCEEDED, id="answered"),
        pytest.param(http("404"), Outcome.SUCCEEDED, id="the client's mistake"),
        pytest.param(http("101"), Outcome.SUCCEEDED, id="a websocket"),
        pytest.param(http("500"), Outcome.FAILED, id="the service failed"),
        pytest.param(http("503", "UF,URX"), Outcome.FAILED, id="nobody answered"),
        pytest.param(http("5000"), Outcome.SUCCEEDED, id="a code of four digits"),
        pytest.param(http("0"), Outcome.GIVEN_UP, id="no answer"),
        pytest.param(http("0", "DC"), Outcome.GIVEN_UP, id="the caller closed the connection before an answer"),
        pytest.param(http("0", "DR"), Outcome.GIVEN_UP, id="the caller reset the stream before an answer"),
        pytest.param(http("200", "DC"), Outcome.GIVEN_UP, id="the caller left in the middle of an answer"),
        pytest.param(http("500", "DC"), Outcome.GIVEN_UP, id="the caller left while it failed"),
        pytest.param(http("503", "URX,DC"), Outcome.GIVEN_UP, id="the caller left while it was retried"),
        *(pytest.param(http("200", flag), Outcome.FAILED, id=f"cut: 200 {flag}") for flag in sorted(CUT)),
        *(pytest.param(http("0", flag), Outcome.FAILED, id=f"cut: 0 {flag}") for flag in sorted(CUT)),
        pytest.param(http("304", "UC"), Outcome.FAILED, id="cut: 304 UC"),
        pytest.param(http("200", "UC,DC"), Outcome.GIVEN_UP, id="cut, and the caller had left"),
        pytest.param(http("200", "URX"), Outcome.SUCCEEDED, id="answered at the last retry"),
        pytest.param(http("408", "SI"), Outcome.SUCCEEDED, id="an idle stream that was ended"),
        pytest.param({"response_flags": "-"}, Outcome.UNTOLD, id="the label was removed"),
        pytest.param(grpc("0"), Outcome.SUCCEEDED, id="grpc: answered"),
        pytest.param(grpc("5"), Outcome.SUCCEEDED, id="grpc: not found"),
        pytest.param(grpc("14"), Outcome.FAILED, id="grpc: unavailable behind HTTP 200"),
        pytest.param(grpc("0", code="503"), Outcome.SUCCEEDED, id="grpc: its own status counts"),
        pytest.param(grpc("14", flags="DC"), Outcome.GIVEN_UP, id="grpc: the caller hung up"),
        pytest.param(grpc("", flags="DR"), Outcome.GIVEN_UP, id="grpc: the caller's deadline is over"),
        pytest.param(grpc("", flags="UC"), Outcome.FAILED, id="grpc: the stream was cut"),
        pytest.param(grpc(""), Outcome.FAILED, id="grpc: trailers that never came"),
        pytest.param(grpc("", flags=""), Outcome.FAILED, id="grpc: trailers that never came, no flags"),
        pytest.param(grpc("", code="503"), Outcome.FAILED, id="grpc: no status, HTTP says it failed"),
        pytest.param(grpc("odd", code="503"), Outcome.FAILED, id="grpc: status is no number, HTTP says it failed"),
        pytest.param(grpc("9" * 5000), Outcome.SUCCEEDED, id="grpc: status too long to be a number"),
        pytest.param(
            http("200") | {"grpc_response_status": "14"}, Outcome.FAILED, id="a grpc status decides, whatever the protocol is called"
        ),
        pytest.param({"response_code": "200", "grpc_response_status": "14"}, Outcome.FAILED, id="a grpc status decides without a protocol"),
    ],
)
def test_sorts_a_series(labels, outcome):
    assert CODES.outcome(labels) is outcome


def test_without_any_grpc_status_nobody_can_tell_how_a_grpc_call_ended():
    assert CODES.outcome(grpc(""), statuses=False) is Outcome.UNTOLD
    assert CODES.outcome(grpc("", code="503"), statuses=False) is Outcome.FAILED


@pytest.mark.parametrize(("labels", "missing"), [({"response_flags": "-"}, "response_code"), (grpc(""), "grpc_response_status")])
def test_names_the_label_that_is_missing(labels, missing):
    assert untold_label(labels) == missing


def test_a_cut_answer_with_a_5xx_counts_by_the_codes_that_are_named():
    assert FailureCodes(http=("500",)).outcome(http("503", "UC")) is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("patterns", "code", "outcome"),
    [
        pytest.param(("503",), "503", Outcome.FAILED, id="one code"),
        pytest.param(("503",), "500", Outcome.SUCCEEDED, id="another code"),
        pytest.param(("50x",), "504", Outcome.FAILED, id="a group of codes"),
        pytest.param(("4xx", "5xx"), "429", Outcome.FAILED, id="any of several"),
        pytest.param((), "500", Outcome.SUCCEEDED, id="none"),
    ],
)
def test_counts_the_codes_that_are_named(patterns, code, outcome):
    assert FailureCodes(http=patterns).outcome(http(code)) is outcome


def test_the_names_of_a_canary_release_are_the_default_numbers():
    names = ["Unknown", "DeadlineExceeded", "Internal", "Unavailable", "DataLoss"]
    assert FailureCodes.from_names(["5xx"], names) == FailureCodes()


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'Oops' is not one of the gRPC codes Cancelled, Unknown"):
        FailureCodes.from_names([], ["Oops"])
