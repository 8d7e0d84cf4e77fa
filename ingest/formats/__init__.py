"""One file per payload format."""
