"""Which requests count as failed."""

import pytest

from canary_operator.analysis.failures import FailureCodes, Outcome

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
        pytest.param(http("500"), Outcome.FAILED, id="the service failed"),
        pytest.param(http("503", "UF,URX"), Outcome.FAILED, id="nobody answered"),
        pytest.param(http("5000"), Outcome.SUCCEEDED, id="a code of four digits"),
        pytest.param(http("0"), Outcome.NOT_COUNTED, id="the client hung up"),
        pytest.param(http("503", "URX,DC"), Outcome.NOT_COUNTED, id="the client hung up while it was retried"),
        pytest.param({"response_flags": "-"}, Outcome.NOT_COUNTED, id="the label was removed"),
        pytest.param(grpc("0"), Outcome.SUCCEEDED, id="grpc: answered"),
        pytest.param(grpc("5"), Outcome.SUCCEEDED, id="grpc: not found"),
        pytest.param(grpc("14"), Outcome.FAILED, id="grpc: unavailable behind HTTP 200"),
        pytest.param(grpc("0", code="503"), Outcome.SUCCEEDED, id="grpc: its own status counts"),
        pytest.param(grpc("14", flags="DC"), Outcome.NOT_COUNTED, id="grpc: the client hung up"),
        pytest.param(grpc("", flags="UC"), Outcome.FAILED, id="grpc: the stream was cut"),
        pytest.param(grpc("", flags=""), Outcome.SUCCEEDED, id="grpc: no status, no flags"),
        pytest.param(grpc(""), Outcome.SUCCEEDED, id="grpc: no status, nothing wrong"),
        pytest.param(grpc("", code="503"), Outcome.FAILED, id="grpc: no status, HTTP says it failed"),
        pytest.param(grpc("odd", code="503"), Outcome.FAILED, id="grpc: status is no number, HTTP says it failed"),
        pytest.param(grpc("9" * 5000), Outcome.SUCCEEDED, id="grpc: status too long to be a number"),
        pytest.param(http("200") | {"grpc_response_status": "14"}, Outcome.SUCCEEDED, id="HTTP ignores a grpc status"),
    ],
)
def test_sorts_a_series(labels, outcome):
    assert CODES.outcome(labels) is outcome


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
