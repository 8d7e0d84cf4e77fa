"""Manual counts beside sensors, on the phone, and what is decided of them."""
