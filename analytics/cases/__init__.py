"""Anomaly cases: members, groups, states, sentences and alerts."""
