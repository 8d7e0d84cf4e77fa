"""The address without a language, and what browsers load besides pages."""
