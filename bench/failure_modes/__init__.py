"""Failure modes, each labelled good or bad: which bad versions a controller takes back, which good ones it blames, at what cost."""
