"""Charts as pages show them: heading, sentence, figure and table of each."""
