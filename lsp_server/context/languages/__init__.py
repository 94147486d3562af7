"""The languages that are recognised, and those whose symbols are known: a small unit for each."""
