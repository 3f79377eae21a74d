"""Tests of the decision: tables, properties, stories."""
