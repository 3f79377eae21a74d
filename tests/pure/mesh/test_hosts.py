"""Host names as Istio reads them."""

import pytest

from canary_operator.mesh.hosts import expand, matches, service_fqdn


@pytest.mark.parametrize(
    ("host", "full"),
    [
        pytest.param("reviews", "reviews.shop.svc.cluster.local", id="a short name is a Service of the namespace"),
        pytest.param("reviews.shop", "reviews.shop", id="a name with a dot is taken as it is, though Kubernetes would resolve it"),
        pytest.param("reviews.example.com", "reviews.example.com", id="an outside host is taken as it is"),
        pytest.param("*", "*", id="the wildcard alone is full"),
        pytest.param("*.shop", "*.shop", id="a wildcard with a dot is taken as it is"),
    ],
)
def test_expand(host: str, full: str) -> None:
    assert expand(host, "shop") == full


def test_other_cluster_domains() -> None:
    assert (
        service_fqdn("reviews", "shop", "corp.internal") == expand("reviews", "shop", "corp.internal") == "reviews.shop.svc.corp.internal"
    )


# The table is the comment of `Name.SubsetOf` in istio/istio pkg/config/host/name.go and its test.
@pytest.mark.parametrize(
    ("host", "pattern", "covered"),
    [
        pytest.param("foo.com", "foo.com", True, id="the same host"),
        pytest.param("foo.com", "bar.com", False, id="another host"),
        pytest.param("bar.foo.com", "*.foo.com", True, id="a host under a wildcard"),
        pytest.param("foo.com", "*.foo.com", False, id="a wildcard does not cover its own stem"),
        pytest.param("foo.com", "*", True, id="the bare wildcard covers all"),
        pytest.param("*.bar.foo.com", "*.foo.com", True, id="a narrower wildcard"),
        pytest.param("*.foo.com", "*.bar.foo.com", False, id="a wider wildcard is not covered"),
        pytest.param("*.foo.com", "bar.foo.com", False, id="a host never covers a wildcard"),
    ],
)
def test_matches(host: str, pattern: str, covered: bool) -> None:
    assert matches(host, pattern) is covered
