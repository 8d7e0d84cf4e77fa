"""From readings to figures: pure functions on frames; only `jobs` knows the database."""
