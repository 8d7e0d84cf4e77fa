"""The page with all rows of a table."""
