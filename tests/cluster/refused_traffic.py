"""Specs that the API server refuses: where the traffic is, and what is judged. Each with the field that it names, and what it says to write."""

import pytest

from canary_operator.api.quantities import DURATION_ADVICE, NUMBER_ADVICE, SHARE_ADVICE
from tests.cluster.specs import attach, errors, owned, query, spec

HOST_ADVICE = "write a host name in lower case such as reviews.example.com"
GATEWAY_ADVICE = "write the name of a Gateway as name or namespace/name"

TRAFFIC_AND_ANALYSIS = [
    pytest.param(
        owned(gateways=["infra/public"]), "spec.traffic.owned", "write the hosts that these gateways serve", id="gateways without hosts"
    ),
    pytest.param(spec(traffic={}), "spec.traffic", "exactly one of owned, attach and delegate", id="traffic is empty"),
    pytest.param(
        spec(traffic={"owned": {}, "attach": [{"virtualService": "reviews"}]}),
        "spec.traffic",
        "exactly one of owned, attach and delegate",
        id="traffic is both the operator's and the user's",
    ),
    pytest.param(attach(), "spec.traffic.attach", "at least 1 items", id="nothing is attached"),
    pytest.param(attach({}), "spec.traffic.attach[0].virtualService", "Required value", id="an attached VirtualService has no name"),
    pytest.param(
        attach({"virtualService": "shop/reviews"}),
        "spec.traffic.attach[0].virtualService",
        "write the name of a VirtualService of this namespace",
        id="an attached VirtualService is elsewhere",
    ),
    pytest.param(
        attach({"virtualService": "a"}, {"virtualService": "a", "routes": ["b"]}),
        "spec.traffic.attach[1]",
        "Duplicate value",
        id="a VirtualService is attached twice",
    ),
    pytest.param(
        attach(*({"virtualService": f"a{n}"} for n in range(9))), "spec.traffic.attach", "must have at most 8 items", id="too many attached"
    ),
    pytest.param(attach({"virtualService": "a", "routes": []}), "spec.traffic.attach[0].routes", "at least 1 items", id="no routes"),
    pytest.param(
        attach({"virtualService": "a", "routes": [" "]}),
        "spec.traffic.attach[0].routes[0]",
        "write the name of an http route",
        id="a route's name is blank",
    ),
    pytest.param(
        attach({"virtualService": "a", "routes": ["b", "b"]}), "spec.traffic.attach[0].routes[1]", "Duplicate value", id="a route twice"
    ),
    pytest.param(owned(hosts=[]), "spec.traffic.owned.hosts", "at least 1 items", id="hosts are an empty list"),
    pytest.param(owned(hosts=["https://a.example.com"]), "spec.traffic.owned.hosts[0]", HOST_ADVICE, id="a host has a scheme"),
    pytest.param(owned(hosts=["a.example.com:443"]), "spec.traffic.owned.hosts[0]", HOST_ADVICE, id="a host has a port"),
    pytest.param(owned(hosts=["A.example.com"]), "spec.traffic.owned.hosts[0]", HOST_ADVICE, id="a host has a capital"),
    pytest.param(owned(hosts=["*"], gateways=["a"]), "spec.traffic.owned.hosts[0]", HOST_ADVICE, id="a host is every host"),
    pytest.param(owned(hosts=["a.*.com"], gateways=["a"]), "spec.traffic.owned.hosts[0]", HOST_ADVICE, id="a host has its star inside"),
    pytest.param(owned(hosts=["a.com", "a.com"]), "spec.traffic.owned.hosts[1]", "Duplicate value", id="a host stands twice"),
    pytest.param(
        owned(hosts=[f"h{n}.com" for n in range(17)]), "spec.traffic.owned.hosts", "must have at most 16 items", id="too many hosts"
    ),
    pytest.param(
        owned(hosts=["*.a.com"]), "spec.traffic.owned", "name the gateways in traffic.owned.gateways", id="a wildcard in the mesh"
    ),
    pytest.param(
        owned(hosts=["*.a.com"], gateways=["g", "mesh"]),
        "spec.traffic.owned",
        "without mesh",
        id="a wildcard behind a gateway and in the mesh",
    ),
    pytest.param(
        owned(hosts=["a.com"], gateways=["a/b/c"]), "spec.traffic.owned.gateways[0]", GATEWAY_ADVICE, id="a gateway has two slashes"
    ),
    pytest.param(
        owned(hosts=["a.com"], gateways=["Public"]), "spec.traffic.owned.gateways[0]", GATEWAY_ADVICE, id="a gateway has a capital"
    ),
    pytest.param(
        spec(analysis={"prometheus": "http://prometheus:9090"}),
        "spec.analysis.prometheus",
        "write the name of a provider in the operator's configuration",
        id="prometheus is an address",
    ),
    pytest.param(spec(analysis={"confidence": 100}), "spec.analysis.confidence", "less than or equal to 99", id="confidence is certainty"),
    pytest.param(spec(analysis={"confidence": 79}), "spec.analysis.confidence", "greater than or equal to 80", id="confidence is too low"),
    pytest.param(spec(analysis={"confidence": "99%"}), "spec.analysis.confidence", "must be of type integer", id="confidence is a text"),
    pytest.param(spec(analysis={"minRequests": 0}), "spec.analysis.minRequests", "greater than or equal to 1", id="no requests are needed"),
    pytest.param(
        spec(analysis={"minRequests": 10**30}), "spec.analysis.minRequests", "less than or equal to 1e+06", id="requests without end"
    ),
    pytest.param(
        spec(analysis={"insufficientData": "advance"}), "spec.analysis.insufficientData", '"Advance", "Hold"', id="a word in lower case"
    ),
    pytest.param(spec(analysis={"noData": "Promote"}), "spec.analysis.noData", '"Hold", "Withdraw"', id="no data is taken for a pass"),
    pytest.param(spec(analysis={"deadline": "9s"}), "spec.analysis.deadline", "from 10s to 720h", id="the deadline is too short"),
    pytest.param(spec(analysis={"deadline": "721h"}), "spec.analysis.deadline", "from 10s to 720h", id="the deadline is too long"),
    pytest.param(spec(analysis={"deadline": "never"}), "spec.analysis.deadline", DURATION_ADVICE, id="the deadline is a word"),
    pytest.param(spec(analysis={"latency": {}}), "spec.analysis.latency.threshold", "Required value", id="slower than what"),
    pytest.param(
        spec(analysis={"latency": {"threshold": "0s"}}), "spec.analysis.latency.threshold", "from 1ms to 1h", id="everything is slow"
    ),
    pytest.param(spec(analysis={"latency": {"threshold": 250}}), "spec.analysis.latency.threshold", "must be of type string", id="no unit"),
    pytest.param(
        spec(analysis={"latency": {"threshold": "1s", "warmup": "2h"}}),
        "spec.analysis.latency.warmup",
        "from 0s to 1h",
        id="a long warm-up",
    ),
    pytest.param(
        spec(analysis={"latency": {"threshold": "1s", "tolerance": "5%"}}),
        "spec.analysis.latency",
        "latency.ruleOut (5% when left out)",
        id="latency.tolerance as large as ruleOut",
    ),
    pytest.param(spec(analysis={"reporter": "source"}), "spec.analysis.reporter", '"Source", "Destination"', id="a reporter in lower case"),
    pytest.param(
        query(max=None), "spec.analysis.queries[0]", "write the least and the greatest value that is good", id="a query without bounds"
    ),
    pytest.param(query(max="100", min="100"), "spec.analysis.queries[0]", "lower min or raise max", id="no value fits a query"),
    pytest.param(query(max=100), "spec.analysis.queries[0].max", "must be of type string", id="a bound without quotes"),
    pytest.param(query(max="1e3"), "spec.analysis.queries[0].max", NUMBER_ADVICE, id="a bound with an exponent"),
    pytest.param(query(max=None, min="NaN"), "spec.analysis.queries[0].min", NUMBER_ADVICE, id="a bound that is no number"),
    pytest.param(query(max="100%"), "spec.analysis.queries[0].max", NUMBER_ADVICE, id="a bound in percent"),
    pytest.param(query(name="Queue Depth"), "spec.analysis.queries[0].name", "such as queue-depth", id="a query's name has capitals"),
    pytest.param(query(name=None), "spec.analysis.queries[0].name", "Required value", id="a query without a name"),
    pytest.param(query(query=None), "spec.analysis.queries[0].query", "Required value", id="a query without a query"),
    pytest.param(query(query=""), "spec.analysis.queries[0].query", "at least 1 chars", id="an empty query"),
    pytest.param(query(query="x" * 2049), "spec.analysis.queries[0].query", "may not be more than 2048", id="a query without end"),
    pytest.param(query(interval="1s"), "spec.analysis.queries[0].interval", "from 5s to 1h", id="a query is asked too often"),
    pytest.param(query(interval="often"), "spec.analysis.queries[0].interval", DURATION_ADVICE, id="a query is asked often"),
    pytest.param(
        query(consecutiveFailures=0), "spec.analysis.queries[0].consecutiveFailures", "greater than or equal to 1", id="no look blames"
    ),
    pytest.param(
        query(consecutiveFailures=101), "spec.analysis.queries[0].consecutiveFailures", "less than or equal to 100", id="too many looks"
    ),
    pytest.param(spec(analysis={"queries": []}), "spec.analysis.queries", "at least 1 items", id="an empty list of queries"),
    pytest.param(
        spec(analysis={"queries": [{"name": "a", "query": "up", "max": "1"}, {"name": "a", "query": "down", "max": "1"}]}),
        "spec.analysis.queries[1]",
        "Duplicate value",
        id="two queries of one name",
    ),
    pytest.param(
        spec(analysis={"queries": [{"name": f"q{n}", "query": "up", "max": "1"} for n in range(11)]}),
        "spec.analysis.queries",
        "must have at most 10 items",
        id="too many queries",
    ),
    pytest.param(errors(tolerance="0,1%"), "spec.analysis.errors.tolerance", SHARE_ADVICE, id="tolerance has a decimal comma"),
    pytest.param(errors(ruleOut="1"), "spec.analysis.errors.ruleOut", SHARE_ADVICE, id="ruleOut has no percent sign"),
    pytest.param(errors(limit="half"), "spec.analysis.errors.limit", SHARE_ADVICE, id="limit is a word"),
    pytest.param(errors(tolerance="1%"), "spec.analysis.errors", "lower tolerance or raise ruleOut", id="tolerance as large as ruleOut"),
    pytest.param(
        errors(ruleOut="0.1%"), "spec.analysis.errors", "errors.tolerance (0.1% when left out)", id="ruleOut below the default tolerance"
    ),
    pytest.param(
        errors(tolerance="2%", ruleOut="9%", limit="1%"), "spec.analysis.errors", "raise limit, or leave it out", id="limit below tolerance"
    ),
    pytest.param(errors(http=[]), "spec.analysis.errors.http", "at least 1 items", id="no HTTP code is a failure"),
    pytest.param(errors(http=["200"]), "spec.analysis.errors.http[0]", "write a code from 400 to 599", id="a success is a failure"),
    pytest.param(errors(http=["5XX"]), "spec.analysis.errors.http[0]", "write a code from 400 to 599", id="a class in capitals"),
    pytest.param(errors(http=[500]), "spec.analysis.errors.http[0]", "must be of type string", id="an HTTP code without quotes"),
    pytest.param(errors(http=["500", "500"]), "spec.analysis.errors.http[1]", "Duplicate value", id="an HTTP code stands twice"),
    pytest.param(errors(grpc=["UNAVAILABLE"]), "spec.analysis.errors.grpc[0]", '"Unavailable"', id="a gRPC code in capitals"),
    pytest.param(errors(grpc=["OK"]), "spec.analysis.errors.grpc[0]", "supported values", id="gRPC's OK is a failure"),
    pytest.param(errors(grpc=[14]), "spec.analysis.errors.grpc[0]", "must be of type string", id="a gRPC code as a number"),
]
