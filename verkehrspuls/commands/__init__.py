"""Commands of the kernel, one file a noun."""
