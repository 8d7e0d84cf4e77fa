"""The record of a manual count, to print and sign."""
