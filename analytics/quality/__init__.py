"""Data quality: completeness, gaps, validity, and the passport of figures."""
