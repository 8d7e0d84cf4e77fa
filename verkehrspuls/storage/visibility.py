"""Which sites a reader may see: those whose visibility is among these."""

from typing import Final

PUBLIC: Final = ("public",)
#: for commands of the operator
EVERYTHING: Final = ("public", "cluster", "private")
