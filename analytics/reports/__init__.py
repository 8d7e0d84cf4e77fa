"""Reports: read once, compute through the pure functions, return typed values."""
