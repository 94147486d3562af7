"""Real files typed at human rhythm against real processes."""
