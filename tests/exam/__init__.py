"""The exam of the tests: the operator is broken on purpose, one place at a time, and a named test has to notice each time."""
