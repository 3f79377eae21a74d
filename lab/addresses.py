"""Addresses and ports inside the lab's namespace. Every lab has a network of its own, so all labs use the same ones."""

API_PORT = 6443
API_SERVER = f"https://127.0.0.1:{API_PORT}"
ETCD_PORT = 2379
CONTROLLER_MANAGER_PORT = 10257
ISTIOD_PORT = 8080
ISTIOD_XDS_PORT = 15010
ISTIOD_WEBHOOK_PORT = 15017
ISTIOD_MONITORING_PORT = 15014
PROMETHEUS_PORT = 9090

NODE = "lab"
NODE_ADDRESS = "10.244.0.1"
GATEWAY_ADDRESS = "10.244.0.2"
GATEWAY_PORT = 8081
FIRST_CLIENT_HOST = 9
"""Mesh clients listen on 10.244.0.9, 10.244.0.10 and so on."""
FIRST_ADMIN_PORT = 19905
"""Envoy's admin ports: the gateway's, then the mesh clients'."""
