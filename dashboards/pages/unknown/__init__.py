"""The pages of unknown sensors: listed, and adopted."""
