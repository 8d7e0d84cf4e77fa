"""Studies: questions of planners, with an interval for each answer."""
