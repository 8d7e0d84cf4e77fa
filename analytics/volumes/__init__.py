"""Volumes: from readings to quarter-hours, hours and local days."""
