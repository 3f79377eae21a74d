"""What the operator does when it, or a reply of the API server, is lost at a chosen write."""
