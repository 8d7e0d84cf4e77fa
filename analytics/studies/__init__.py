"""Studies: the questions that planners ask, with an interval on each answer."""
