"""Local events: what takes place on some days, at a site or in the whole town."""
