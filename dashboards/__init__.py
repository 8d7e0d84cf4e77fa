"""Pages with charts, each chart with a heading, a sentence and a table."""
