"""Commands of ingest, one file a noun."""
