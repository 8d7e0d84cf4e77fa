"""The pages on which engineers register sites, sensors and what belongs to them."""
