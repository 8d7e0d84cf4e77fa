"""Flow figures of days and hours, as planners quote them: one file per figure."""
