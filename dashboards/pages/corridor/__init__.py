"""The page of a corridor."""
