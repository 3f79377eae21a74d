"""The only doors to the outside: the Kubernetes API and Prometheus. Thin: foreign errors become ours, nothing is decided."""
