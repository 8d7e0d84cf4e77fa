"""Renaming, splitting and merging sites."""
