"""Faults, injected into real processes; see docs/explanation/faults.md."""
