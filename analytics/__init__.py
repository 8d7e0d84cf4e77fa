"""Compute figures from readings: pure functions on frames, except `jobs`, `reports`."""
