"""The page on which a device profile is made from messages."""
