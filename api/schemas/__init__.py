"""What answers hold, one file a resource; the reference is made from it."""
