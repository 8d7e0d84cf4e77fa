"""Models of responses, one file per resource, from which the reference is made."""
