"""What a municipality says of itself: name, licence, links and centre."""
