"""Imputation: estimates for unknown hours, each with its method."""
