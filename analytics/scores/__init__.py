"""Anomaly scores for time series of any kind, and for traffic counts."""
