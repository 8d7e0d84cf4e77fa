"""Registration files: whatever is registered is read as it was written."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import registrations
from verkehrspuls.model import Site, Town
from verkehrspuls.registry.files import formats, load
from verkehrspuls.registry.registration import difference

TEXTS = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")),
    max_size=12,
) | st.sampled_from(["=1+1", "'", "''=", " a ", "no", "~", "1e5", "0x1", "- a", "a: b"])
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, min_value=0, max_value=1e9)
TIMES = st.datetimes(
    datetime(1971, 1, 1),  # noqa: DTZ001 - the zone follows
    datetime(2199, 1, 1),  # noqa: DTZ001 - the zone follows
    timezones=st.just(UTC),
)


def fits(record: Any, fields: dict[str, Any]) -> bool:
    try:
        msgspec.convert(fields, record)
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", ["csv", "toml", "xlsx", "yaml"])
@settings(max_examples=60, deadline=None)
@given(
    words=st.tuples(TEXTS, TEXTS, TEXTS).filter(
        lambda three: fits(
            Site, {"key": "a", "name": three[0], "road": three[1], "place": three[2]}
        )
    ),
    stages=st.dictionaries(
        TEXTS.filter(lambda text: fits(Site, {"key": "a", "name": text})),
        NUMBERS,
        max_size=3,
    ),
    latitude=st.none() | st.floats(47, 55),
    since=TIMES,
)
def test_what_is_written_is_read(
    name: str,
    words: tuple[str, str, str],
    stages: dict[str, float],
    latitude: float | None,
    since: datetime,
) -> None:
    known = registrations.whole()
    first = msgspec.structs.replace(
        known.sites[0],
        **dict(zip(("name", "road", "place"), words, strict=True)),
        latitude=latitude,
        longitude=None if latitude is None else 8.1,
        channels=(
            msgspec.structs.replace(known.sites[0].channels[0], thresholds=stages),
        ),
    )
    sensor = msgspec.structs.replace(
        registrations.sensor(0),
        installations=(
            msgspec.structs.replace(
                registrations.sensor(0).installations[0], since=since
            ),
        ),
    )
    town = Town(key="a", name="A", state="RP", sites=(first,), sensors=(sensor,))
    data = formats()[name].write(town)
    read = load.town_of(load.content(data, f"a.{name}"), None)
    assert difference(town, read) == []
