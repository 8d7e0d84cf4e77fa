"""Devices: how the sensors of a town are, one by one and all together."""
