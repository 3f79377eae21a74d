"""A stand-in for stores that speak the Prometheus HTTP API, and releases that are judged by it."""
