"""The text of a point of a line under the pointer."""

from typing import Any, Final

import polars as pl

from dashboards.wall_clock import written
from verkehrspuls.language import Language, Style

#: maximum points with prepared texts; for more, the browser composes them
MAX_PREPARED: Final = 48


def hover(
    rows: pl.DataFrame,
    language: Language,
    *,
    value: str,
    unit: str,
    style: Style,
    digits: int = 0,
) -> dict[str, Any]:
    """Return attributes of a trace: time, value, and observed share.

    `value` is the column that is drawn.
    """
    observed = language.phrase("observed")
    if rows.height <= MAX_PREPARED:
        words = [
            f"{when}<br><b>{language.number(number, digits)} {unit}</b>"
            f"<br>{language.percent(share)} {observed}"
            for when, number, share in zip(
                written(rows, language, style),
                *rows.select(value, "observed"),
                strict=True,
            )
        ]
        return {"text": words, "hovertemplate": "%{text}<extra></extra>"}
    figure = (
        f"<br><b>%{{y:,.{digits}f}} {unit}</b>"
        f"<br>%{{customdata}}\N{NARROW NO-BREAK SPACE}% {observed}<extra></extra>"
    )
    plain = f"%{{x|{language.directives(style)}}}{figure}"
    template: str | list[str] = plain
    if rows["fold"].is_in(["A", "B"]).any():
        # the place of a repeated hour on the axis is not its time
        twice = iter(written(rows.filter(pl.col("fold") != ""), language, style))
        template = [f"{next(twice)}{figure}" if f else plain for f in rows["fold"]]
    return {"customdata": _percent(rows["observed"]), "hovertemplate": template}


def _percent(shares: pl.Series) -> list[int | None]:
    """Return whole percent; never rounded to 0 or 100 unless exact."""
    share = pl.col("share")
    whole = (share * 100).round().cast(pl.Int16)
    known: list[int | None] = (
        pl.DataFrame({"share": shares})
        .select(
            pl.when(share >= 1)
            .then(100)
            .when(share > 1e-9)
            .then(whole.clip(1, 99))
            .otherwise(whole)
        )
        .to_series()
        .to_list()
    )
    return known
