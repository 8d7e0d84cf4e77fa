"""Commands of the registry, one file a noun."""
