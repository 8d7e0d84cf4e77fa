"""Imputation: estimates of hours that nothing is known of, each with its method."""
