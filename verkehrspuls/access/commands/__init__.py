"""Commands of access, one file a noun."""
