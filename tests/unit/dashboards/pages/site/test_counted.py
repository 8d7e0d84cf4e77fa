"""What is said beside charts of counts."""

from dataclasses import replace

import pytest

from dashboards.charts.charts import Chart, Table
from dashboards.pages.site.counted import with_trusted_sentence
from verkehrspuls.language import Language

NIGHT = Chart(
    "profile", "When?", "Most at 7.", None, Table(("hour", "n"), [("0", "63")])
)
TRUSTED = replace(NIGHT, table=Table(("hour", "n"), [("0", "7")]))


@pytest.mark.parametrize(
    ("without", "text"),
    [
        (None, "Most at 7."),
        (NIGHT, "Most at 7."),
        (
            TRUSTED,
            "Most at 7. Hours in which a fault is suspected are counted here.",
        ),
        (
            replace(TRUSTED, sentence="Most at 8."),
            "Most at 7. Without hours in which a fault is suspected: Most at 8.",
        ),
    ],
)
def test_numbers_with_suspected_hours_say_so(without: Chart | None, text: str) -> None:
    """Also where the sentence is the same without them, and the numbers are not."""
    assert with_trusted_sentence(NIGHT, without, Language("en")).sentence == text
