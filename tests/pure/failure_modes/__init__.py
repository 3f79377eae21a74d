"""Tests of `bench.failure_modes`."""
