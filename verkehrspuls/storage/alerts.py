"""Alerts that wait too long to be sent."""

from dataclasses import dataclass

from verkehrspuls.storage.database import Connection, read_record


@dataclass(frozen=True, slots=True)
class HeldUp:
    """Alerts that did not reach whom they are for."""

    #: that failed more than once, or that nobody sends
    waiting: int
    #: how long ago the oldest of them was made
    oldest_s: float | None
    #: of the last two days, after all attempts
    given_up: int

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self.waiting or self.given_up)

    def __str__(self) -> str:
        """Return how many, and since when."""
        parts = []
        if self.waiting:
            since = f"{(self.oldest_s or 0) / 60:.0f} min"
            parts.append(f"{self.waiting} wait, the oldest for {since}")
        if self.given_up:
            parts.append(f"{self.given_up} were given up in the last two days")
        return ", ".join(parts)


def held_up(connection: Connection) -> HeldUp:
    """Count the alerts that wait too long."""
    return read_record(connection, HeldUp, "alerts_held_up")
