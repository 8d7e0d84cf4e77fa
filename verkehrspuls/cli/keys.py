"""Keys of municipalities, sites and sensors as commands take them."""

from verkehrspuls.errors import UsageError


def parse_key(text: str, *, kind: str) -> tuple[str, str]:
    """Split `municipality/key`."""
    municipality, slash, key = text.partition("/")
    if not (municipality and slash and key) or "/" in key:
        raise UsageError(
            reason=f"a {kind} is named municipality/{kind}, not {text}. "
            f"`verkehrspuls {kind} list` shows all"
        )
    return municipality, key


def town_or(text: str, *, kind: str) -> tuple[str, str | None]:
    """Split `municipality/key`, or return the municipality alone."""
    return parse_key(text, kind=kind) if "/" in text else (text, None)


def of_sensor(
    municipality: str | None, sensor: str | None
) -> tuple[str | None, str | None]:
    """Split `municipality/sensor` where it is given, else return the municipality."""
    return parse_key(sensor, kind="sensor") if sensor else (municipality, None)
