"""The page on which a sensor is registered by a device profile."""
