"""The page of a sensor's credentials at the broker."""
