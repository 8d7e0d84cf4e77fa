"""The page on what is measured, and why."""
