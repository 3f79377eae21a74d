"""The command lines: `canary-operator` and `kubectl canary`."""
