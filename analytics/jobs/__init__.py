"""Jobs: claim what is stale, read, compute, store."""
