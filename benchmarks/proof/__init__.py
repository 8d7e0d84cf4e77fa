"""Quality of the detectors, measured on labelled data beside simpler methods."""
