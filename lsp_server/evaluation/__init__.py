"""Benchmarks of completion, run through the pipeline that serves the editor."""
