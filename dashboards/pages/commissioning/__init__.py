"""The page on which a sensor is brought into service."""
