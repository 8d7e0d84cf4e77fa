"""Reasons for null figures in responses."""

from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, Field

from analytics.flow.figure import Reason
from verkehrspuls.text import LANGUAGES


class ReasonOfFigure(BaseModel):
    """Why a figure is null."""

    code: str
    have: float | None
    need: float | None
    months: list[int] = Field(description="that lack, where a year is needed")
    facts: dict[str, str] = Field(description="what else the text names")
    text: dict[str, str] = Field(description="by language: de, en")


def in_languages(reason: Reason | None) -> dict[str, Any] | None:
    """Render it in each language."""
    if reason is None:
        return None
    text = {language: reason.text(language) for language in LANGUAGES}
    return {**asdict(reason), "facts": dict(reason.facts), "text": text}
