from datetime import UTC, date, datetime, timedelta

from dashboards.pages.site.health import DAYS_SHOWN, health
from tests.registered import channel, site
from verkehrspuls.language import Language
from verkehrspuls.storage.health import HealthDay

TODAY = date(2026, 3, 15)
ENGLISH = Language("en")
SITE = site(
    channels=tuple(
        channel(key, name=f"lane {key}", direction=direction, direction_name=direction)
        for key, direction in (("1", "east"), ("2", "east"), ("3", "west"))
    )
)


def verdicts(*bad: tuple[int, str, str]) -> list[HealthDay]:
    faults = {(day, channel): verdict for day, channel, verdict in bad}
    return [
        HealthDay(
            day=TODAY - timedelta(days=n),
            municipality="town",
            site="site",
            channel=channel,
            quantity="motor",
            direction="east",
            verdict=faults.get((n, channel), "good"),
            value=None,
            threshold=None,
            level=None,
            complete=True,
            method="health-1",
            judged_at=datetime(2026, 3, 15, tzinfo=UTC),
        )
        for n in range(DAYS_SHOWN)
        for channel in ("1", "2", "3")
    ]


def test_channels_are_named_so_that_they_can_be_told_apart() -> None:
    assert health(SITE, [], ENGLISH, today=TODAY).channels == [
        "lane 1",
        "lane 2",
        "west",
    ]


def test_days_in_a_row_are_one_failure() -> None:
    rows = verdicts((1, "3", "gap"), (2, "3", "gap"), (4, "3", "gap"))
    found = health(SITE, rows, ENGLISH, today=TODAY)
    assert found.failures == [
        "west, 13 Mar 2026 – 14 Mar 2026: Readings are missing for too long.",
        "west, Wed, 11 Mar 2026: Readings are missing for too long.",
    ]
    assert found.sentence.startswith("On 3 of 42 channel-days")


def test_sound_sensors_are_said_to_be_so() -> None:
    found = health(SITE, verdicts(), ENGLISH, today=TODAY)
    assert found.failures == []
    assert found.sentence.startswith("No test found a fault")


def test_day_without_verdict_is_not_called_good() -> None:
    found = health(SITE, verdicts()[:3], ENGLISH, today=TODAY)
    (_, today), (_, yesterday) = found.rows[:2]
    assert {cell.word for cell in today} == {"good"}
    assert {cell.word for cell in yesterday} == {"not judged"}


def test_nothing_judged_yet_is_said() -> None:
    found = health(SITE, [], ENGLISH, today=TODAY)
    assert found.sentence == "No day has been judged yet."
    assert found.rows == []
