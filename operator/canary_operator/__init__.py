"""istio-canary-operator: moves live traffic to a new version step by step, and back when it fails."""

__version__ = "0.1.0"
