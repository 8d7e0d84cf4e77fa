"""Channel health: the first test that a channel's day or hour fails, by name.

One file per test: a pure function from `Evidence` to FAILURES, and its record `TEST`.
"""
