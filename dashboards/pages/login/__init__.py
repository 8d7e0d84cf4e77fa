"""The pages for logging in and out."""
