"""Benchmarks, also of other tools: only in a checkout, not in the wheel."""
