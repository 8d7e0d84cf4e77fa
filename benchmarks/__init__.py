"""What is measured, beside peers: only in a checkout, not in the wheel."""
