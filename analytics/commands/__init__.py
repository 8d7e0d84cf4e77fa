"""Commands of analytics, one file a noun."""
