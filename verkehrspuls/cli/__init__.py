"""The command line: the table of commands, and what commands share."""
