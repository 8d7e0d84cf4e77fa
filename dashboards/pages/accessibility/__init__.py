"""The page on accessibility."""
