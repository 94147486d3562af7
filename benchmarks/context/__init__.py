"""Cross-file context: how much of what a cursor needs is found, and how fast."""
