"""One virtual world, played as fast as it can be computed: for `simulate`, golden stories, property tests and benchmarks.

Pure: no I/O, no clock, no chance. Time is a number that the world moves; what is left to chance comes in as a callable.
"""
