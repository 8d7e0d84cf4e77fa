"""Anomaly scores for series of any kind, and for counts of traffic."""
