"""Commands of the simulators, one file a noun."""
