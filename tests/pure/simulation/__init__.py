"""Tests of the virtual world itself."""
