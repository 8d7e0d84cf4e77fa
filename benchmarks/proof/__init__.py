"""What the detectors are worth: measured on labelled data, beside simpler ones."""
