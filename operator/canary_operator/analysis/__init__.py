"""What Prometheus is asked, and what the answer means.

Pure: no I/O, no clock, no randomness, no logging. The way of one answer through the package:
`promql` (the question) -> `samples.parse` -> `counters.intervals` -> `evidence.fold` -> `verdict.judge`.
"""
