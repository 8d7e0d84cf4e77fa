"""The page that lists anomaly cases, and on which several are decided at once."""
