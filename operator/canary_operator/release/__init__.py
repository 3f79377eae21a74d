"""What next: guards, plan, decision, report. Pure: no I/O, no clock, no randomness, no logging."""
