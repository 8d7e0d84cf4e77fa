import pytest

from verkehrspuls.access import passwords
from verkehrspuls.access.passwords import Cost, WeakPassword, require_strong

OWN = ("anne.muster@example.org", "Anne Muster")
CHEAP = Cost(time=1, memory_kib=8, lanes=1)


@pytest.mark.parametrize(
    "password",
    [
        *("Passwort1234!", "P@ssw0rd1234", "passwordpassword", "Pa$$w0rd12345"),
        *("qwertzuiop123", "qwerty123456", "1q2w3e4r5t6z", "1qay2wsx3edc"),
        *("zaq12wsxcde3", "1234qwerasdf", "asdfghjklöä1", "qweasdzxc123"),
        *("123456789012", "210987654321", "112233445566", "111222333444"),
        *("aaaaaaaaaaaa", "abababababab", "iloveyou1234", "hallohallohallo"),
        *("Sommer2026!!!", "administrator", "Willkommen2026", "Geheim123456"),
        # of lists that became known
        *("justinbieber", "JustinBieber", "mailcreated5240", "needforspeed"),
        # of the person
        *("anne.muster@example.org", "AnneMuster2026", "Muster-Anne-1", "muster123456"),
    ],
)
def test_what_is_guessed_first_is_refused(password: str) -> None:
    assert len(password) >= passwords.MIN_LENGTH
    with pytest.raises(WeakPassword, match="guessed easily"):
        require_strong(password, own=OWN)


@pytest.mark.parametrize(
    "password",
    [
        *("kX9#mQ2vLp7w", "correct-horse-battery-staple", "Zug-Tasse-Wolke-91"),
        *(
            "Der Pförtner mag Kakteen",
            "日本語の長いパスワードです",
            "Anne-liest-Pläne-gern",
        ),
    ],
)
def test_long_and_own_ones_are_taken(password: str) -> None:
    require_strong(password, own=OWN)


def test_length_is_limited_on_both_sides() -> None:
    with pytest.raises(WeakPassword, match="at least 12"):
        require_strong("kX9#mQ2vLp7")
    with pytest.raises(WeakPassword, match="at most 500"):
        require_strong("kX9#mQ2vLp7w" * 42)


def test_hash_is_proved_with_its_salt_and_parameters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "COST", CHEAP)
    known = passwords.hash_of("Zug-Tasse-Wolke-91")
    salt = known.rpartition("$")[0]
    assert known != passwords.hash_of("Zug-Tasse-Wolke-91")
    assert not passwords.is_outdated(salt)
    monkeypatch.setattr(passwords, "COST", CHEAP._replace(time=2))
    assert passwords.prove("Zug-Tasse-Wolke-91", salt) == known
    assert passwords.prove("Zug-Tasse-Wolke-92", salt) != known
    assert passwords.is_outdated(salt)


def test_usual_cost_is_that_of_rfc_9106() -> None:
    begin = passwords.hash_of("Zug-Tasse-Wolke-91")
    assert begin.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert not passwords.is_outdated(begin.rpartition("$")[0])


def test_what_is_typed_with_another_keyboard_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "COST", CHEAP)
    known = passwords.hash_of("Zug-Täler-Wolke-91")
    salt = known.rpartition("$")[0]
    assert passwords.prove("Zug-Ta\u0308ler-Wolke-91", salt) == known


def test_end_of_a_long_password_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "COST", CHEAP)
    longest = "Zug-Tasse-Wolke-91/" * 26 + "123456"
    assert len(longest) == passwords.MAX_LENGTH
    known = passwords.hash_of(longest)
    salt = known.rpartition("$")[0]
    assert passwords.prove(longest, salt) == known
    assert passwords.prove(f"{longest}!", salt) != known


def test_a_salt_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="no salt"):
        passwords.prove("Zug-Tasse-Wolke-91", "$2b$12$abcdefghijklmnopqrstuv")
