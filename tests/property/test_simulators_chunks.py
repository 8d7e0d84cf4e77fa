"""Values depend on seed, channel and time, and on nothing else."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from simulators import environment, faults, street
from simulators.publish import sensors
from simulators.sensor import messages
from simulators.world import DAY_S, World, standard, weather_of
from verkehrspuls.model import Sensor

WORLD = standard(1)
SENSORS = list(sensors(WORLD))
FIRST = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp())

moments = st.integers(FIRST, FIRST + 80 * DAY_S)
hours = st.integers(1, 40)


def forget() -> None:
    """Empty the caches, as a restart does."""
    for cached in (
        *(street.passages, street.flows, street.wanted, street.queue),
        *(environment.values, faults.report, faults._worn, weather_of),
    ):
        cached.cache_clear()


@settings(deadline=None, max_examples=60)
@given(
    which=st.sampled_from(SENSORS),
    start=moments,
    spans=st.lists(st.integers(1, 12 * 3600), min_size=1, max_size=5),
)
def test_it_does_not_matter_how_time_is_cut(
    which: tuple[str, Sensor], start: int, spans: list[int]
) -> None:
    municipality, sensor = which
    whole = messages(WORLD, municipality, sensor, start, start + sum(spans))
    forget()
    parts = []
    for span in spans:
        parts += messages(WORLD, municipality, sensor, start, start + span)
        start += span
    assert parts == whole


@settings(deadline=None, max_examples=30)
@given(which=st.sampled_from(SENSORS), start=moments, length=hours)
def test_the_same_seed_gives_the_same_and_another_seed_another(
    which: tuple[str, Sensor], start: int, length: int
) -> None:
    municipality, sensor = which

    def of(world: World) -> list[object]:
        return [
            one.get("counts") or one["values"]
            for one in messages(
                world, municipality, sensor, start, start + 86_400 + length * 3600
            )
        ]

    first = of(WORLD)
    forget()
    assert of(standard(1)) == first
    other = of(standard(2))
    assert not first or other != first
