"""Checks of observed objects."""
