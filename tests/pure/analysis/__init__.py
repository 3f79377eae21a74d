"""Tests of `canary_operator.analysis`."""
