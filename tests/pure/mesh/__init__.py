"""The words that traffic and preflight share."""
