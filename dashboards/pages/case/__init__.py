"""The page of an anomaly case."""
