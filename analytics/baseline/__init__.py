"""Usual volumes of hours and quarter-hours, and the network ratio of a town."""
