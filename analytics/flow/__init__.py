"""Flow figures: from days and hours to what a planner quotes, one file per figure."""
