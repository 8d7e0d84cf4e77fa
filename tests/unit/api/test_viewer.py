"""What forms of a session contain."""

from datetime import UTC, datetime

import pytest

from api.viewer import Visit
from verkehrspuls.access.sessions import Session


def visit(session: str) -> Visit:
    now = datetime(2026, 3, 4, tzinfo=UTC)
    found = Session(
        session_id=1,
        account_id=1,
        email="anne@example.org",
        name="Anne",
        is_complete=True,
        has_second_factor=False,
        has_proved=True,
        is_outdated=False,
        is_due=False,
        created_at=now,
        expires_at=now,
        roles=(),
    )
    return Visit(session, found)


def test_no_two_pages_contain_the_same_and_each_is_taken() -> None:
    """So nothing of it is learned from the length of compressed pages (BREACH)."""
    mine = visit("a")
    made = [mine.form_token() for _ in range(50)]
    assert len(set(made)) == 50
    # no place has the same character in all of them
    assert all(len(set(column)) > 1 for column in zip(*made, strict=True))
    assert all(mine.is_own(token) for token in made)


@pytest.mark.parametrize(
    "token", ["", "0" * 32, "0" * 63, "0" * 64, "ä" * 64, "x" * 64]
)
def test_what_is_made_up_is_refused(token: str) -> None:
    assert not visit("a").is_own(token)


def test_a_form_of_another_session_is_refused() -> None:
    token = visit("a").form_token()
    assert not visit("b").is_own(token)
    assert not visit("a").is_own(token[:-2])
    assert not visit("a").is_own(f"{token}00")
