"""Measurements in the lab: counts and ratios, never times of one machine as a verdict."""
