"""One module for each program of the lab."""
