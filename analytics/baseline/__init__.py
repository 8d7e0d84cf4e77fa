"""What is usual for an hour, a quarter-hour, and among the sites of a town."""
