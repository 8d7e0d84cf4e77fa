"""Registration files: many entries at once, tried before they are registered."""
