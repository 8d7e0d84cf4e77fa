"""From readings to figures: pure functions on frames, only `jobs` has the database."""
