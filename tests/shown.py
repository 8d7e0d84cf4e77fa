"""What a page shows: its tables, charts and sentences, to compare with the API."""

import html
import json
import re
from typing import Any

_CELL = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)
_TABLE = re.compile(
    r"<caption>(.*?)</caption>\s*<thead>.*?</thead>\s*<tbody>(.*?)</tbody>", re.DOTALL
)
_NUMBER = re.compile(r"[−-]?\d[\d.]*(?:,\d+)?")


def tables(page: str) -> dict[str, list[list[str]]]:
    """Rows of texts, without heads, by caption."""
    return {
        html.unescape(caption): [
            [html.unescape(re.sub(r"<[^>]+>", "", cell)) for cell in _CELL.findall(row)]
            for row in body.split("</tr>")
            if _CELL.search(row)
        ]
        for caption, body in _TABLE.findall(page)
    }


def sentences(page: str) -> dict[str, str]:
    """What charts say, by their key."""
    found = re.findall(r'class="sentence" id="(.*?)-sentence">(.*?)</p>', page)
    return {key: html.unescape(text) for key, text in found}


def figures(page: str) -> dict[str, Any]:
    """What charts draw, by their key."""
    found = re.findall(
        r'<script type="application/json" id="(.*?)-figure">(.*?)</script>',
        page,
        re.DOTALL,
    )
    return {key: json.loads(text) for key, text in found}


def german(value: float | None, digits: int = 0) -> str:
    """A number as German pages write it."""
    if value is None:
        return "–"
    written = f"{value:,.{digits}f}".replace("-", "−")
    return written.replace(",", " ").replace(".", ",").replace(" ", ".")


def numbers(text: str) -> list[str]:
    """The numbers in a German text."""
    return _NUMBER.findall(text)
