"""`make demo`: a good version is promoted and a bad one is rolled back, on real traffic in the lab. Run as `python -m lab.demo`."""
