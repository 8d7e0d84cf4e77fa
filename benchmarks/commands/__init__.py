"""Commands of the benchmarks, one file a noun."""
