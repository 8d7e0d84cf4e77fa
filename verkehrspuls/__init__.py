"""The kernel of Verkehrspuls: words, settings, storage and the embedded parts."""

__version__ = "0.1.0"
