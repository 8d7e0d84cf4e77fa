"""Redirects of former addresses."""
