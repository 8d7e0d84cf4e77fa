"""Forecasts: volumes of the coming quarter-hours and hours, with intervals."""
