"""The lab's own Istio objects: Istio-shaped metrics from upstream Envoy, and the public gateway."""

from typing import Any

from lab.addresses import GATEWAY_ADDRESS, GATEWAY_PORT

_MANAGER = "envoy.filters.network.http_connection_manager"
_MANAGER_TYPE = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_TAGS = [
    {"name": "reporter", "value_format": "source"},
    {"name": "response_code", "value_format": "%RESPONSE_CODE%"},
    {"name": "response_flags", "value_format": "%RESPONSE_FLAGS%"},
    {"name": "grpc_response_status", "value_format": "%GRPC_STATUS_NUMBER%"},
    {"name": "upstream_cluster", "value_format": "%UPSTREAM_CLUSTER_RAW%"},
    {"name": "workload", "value_format": "%UPSTREAM_METADATA(istio:workload)%"},
]
_STATS = {
    "@type": "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config",
    "stat_prefix": "istio",
    "counters": [{"value_fixed": 1, "stat": {"name": "requests_total", "tags": _TAGS}}],
    "histograms": [
        {
            "unit": "Milliseconds",
            "value_format": "%DURATION%",
            "stat": {"name": "request_duration_milliseconds", "tags": _TAGS},
        }
    ],
}

METRICS: dict[str, Any] = {
    "apiVersion": "networking.istio.io/v1alpha3",
    "kind": "EnvoyFilter",
    "metadata": {"name": "lab-istio-metrics", "namespace": "istio-system"},
    "spec": {
        "configPatches": [
            {
                "applyTo": "NETWORK_FILTER",
                "match": {"listener": {"filterChain": {"filter": {"name": _MANAGER}}}},
                "patch": {
                    "operation": "MERGE",
                    "value": {
                        "typed_config": {
                            "@type": f"type.googleapis.com/{_MANAGER_TYPE}",
                            "access_log": [{"name": "lab_stats", "typed_config": _STATS}],
                        }
                    },
                },
            }
        ]
    },
}
"""Upstream Envoy has no `istio.stats` filter.

Its own stats access logger counts per request with the same labels once Prometheus has relabelled them.
"""

PUBLIC_GATEWAY: dict[str, Any] = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "public", "namespace": "infra"},
    "spec": {
        "selector": {"istio": "ingressgateway"},
        "servers": [
            {
                "port": {"number": GATEWAY_PORT, "name": "http", "protocol": "HTTP"},
                "bind": GATEWAY_ADDRESS,
                "hosts": ["*"],
            }
        ],
    },
}

GATEWAY_POD: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "gateway", "namespace": "infra"},
    "spec": {
        "selector": {"matchLabels": {"istio": "ingressgateway"}},
        "template": {
            "metadata": {"labels": {"istio": "ingressgateway"}},
            "spec": {"containers": [{"name": "istio-proxy", "image": "pause"}]},
        },
    },
}
"""Stands for the gateway where somebody looks for its pods; the gateway itself is a process."""
