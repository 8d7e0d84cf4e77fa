"""Simulated towns, whose sensors publish over MQTT like real ones."""
