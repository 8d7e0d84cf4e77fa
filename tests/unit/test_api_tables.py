"""Rows on standard output."""

import io
import sys

import pytest

from api import tables


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_is_to_be_copied_is_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    site = "eifelkreis-bitburg-pruem/pegel-pruemzurlay"
    columns = ("site", "name", "measures", "status", "visibility", "last_message")
    told = "2026-11-28T03:03:23Z"
    tables.show([dict.fromkeys(columns, told) | {"site": site}], columns)
    assert site in terminal.getvalue()
