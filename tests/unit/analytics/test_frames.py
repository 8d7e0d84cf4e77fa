import polars as pl
import pytest

from analytics import frames


def test_check_names_what_is_wrong() -> None:
    frame = pl.DataFrame({"channel_id": ["a"]})
    with pytest.raises(
        frames.WrongFrameError,
        match=r"channel_id is String, not Int32; time is missing",
    ):
        frames.check(frame, frames.INTERVALS)


def test_check_orders_and_drops_columns() -> None:
    frame = frames.empty(frames.USUAL).select(
        pl.lit(1).alias("more"), *reversed(list(frames.USUAL))
    )
    assert frames.check(frame, frames.USUAL).columns == list(frames.USUAL)
