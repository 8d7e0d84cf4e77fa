"""Reasons for null figures in responses."""

from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from verkehrspuls.text import LANGUAGES


def _in_languages(text: Callable[[str], str]) -> dict[str, str]:
    """Return the text of a `Reason` in each language."""
    return {language: text(language) for language in LANGUAGES}


class ReasonOfFigure(BaseModel):
    """Why a figure is null."""

    code: str
    have: float | None
    need: float | None
    months: list[int] = Field(description="that lack, where a year is needed")
    facts: Annotated[dict[str, str], BeforeValidator(dict)] = Field(
        description="what else the text names"
    )
    text: Annotated[dict[str, str], BeforeValidator(_in_languages)] = Field(
        description="by language: de, en"
    )
