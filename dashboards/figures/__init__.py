"""One file per chart: frame in, figure out."""
