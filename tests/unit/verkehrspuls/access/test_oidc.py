"""What the provider's claims say, by the settings."""

from typing import Any, Final

import pytest

from verkehrspuls.access.oidc import person_of, roles_of
from verkehrspuls.errors import UsageError
from verkehrspuls.settings import Oidc, load

CLAIMS: Final = {"sub": "4711", "email": "Anne@Example.org", "email_verified": True}


def settings(**given: Any) -> Oidc:
    return Oidc.model_validate(given)


@pytest.mark.parametrize(
    ("groups", "roles"),
    [
        (["plan"], (("moon", "planner"),)),
        ("plan", (("moon", "planner"),)),
        (["/amt=60/ops", "plan"], (("moon", "planner"), (None, "operator"))),
        ([], ()),
        (None, ()),
        ({"plan": 1}, ()),
        ([["plan"], 1, None], ()),
        ("planner", ()),
    ],
)
def test_groups_give_roles(groups: object, roles: object) -> None:
    rules = ("plan=moon/planner", "/amt=60/ops=operator", "plan=moon/planner")
    assert roles_of(groups, rules) == roles


def test_groups_may_lie_in_objects() -> None:
    given = settings(groups_claim="realm_access.roles", roles="plan=moon/planner")
    for claims, count in (
        ({"realm_access": {"roles": ["plan"]}}, 1),
        ({"realm_access.roles": ["plan"]}, 1),
        ({"realm_access": ["plan"]}, 0),
        ({}, 0),
    ):
        assert len(person_of(CLAIMS | claims, given).roles) == count


@pytest.mark.parametrize(
    ("claims", "email"),
    [
        ({}, "anne@example.org"),
        ({"email_verified": "true"}, "anne@example.org"),
        ({"email_verified": False}, None),
        ({"email_verified": 1.5}, None),
        ({"email_verified": None}, None),
        ({"email": "no address"}, None),
        ({"email": ["anne@example.org"]}, None),
        ({"email": None}, None),
    ],
)
def test_an_email_counts_if_it_is_verified(
    claims: dict[str, Any], email: str | None
) -> None:
    assert person_of(CLAIMS | claims, settings()).email == email


def test_a_name_is_what_a_page_can_show() -> None:
    for name, shown in (
        ("Anne", "Anne"),
        ("An\u202ene", "anne"),
        ("", "anne"),
        (17, "anne"),
        ("x" * 300, "anne"),
    ):
        claims = CLAIMS | {"name": name, "preferred_username": "anne"}
        assert person_of(claims, settings()).name == shown
    assert person_of(CLAIMS, settings()).name == "anne@example.org"
    assert person_of({"sub": "4711"}, settings()).name == "?"


@pytest.mark.parametrize(
    ("claims", "counts"),
    [
        ({"amr": ["pwd", "mfa"]}, True),
        ({"acr": "gold"}, True),
        ({"amr": ["pwd"], "acr": "1"}, False),
        ({"amr": "mfa"}, False),
        ({"amr": [["mfa"]]}, False),
        ({"acr": {"mfa": 1}}, False),
        ({}, False),
    ],
)
def test_a_second_factor_is_what_the_settings_name(
    claims: dict[str, Any], counts: bool
) -> None:
    given = settings(second_factor="mfa,gold")
    assert person_of(CLAIMS | claims, given).second_factor is counts
    assert not person_of(CLAIMS | claims, settings()).second_factor


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ISSUER", "http://sso.example.org", "https://"),
        ("ISSUER", "https://sso.example.org?x=1", "query"),
        ("ISSUER", "sso.example.org", "https://host"),
        ("SCOPES", "email", "openid"),
        ("ROLES", "plan", "group=municipality/role"),
        ("ROLES", "plan=moon/planer", "planner"),
        ("ROLES", "=moon/planner", "group=municipality/role"),
        ("ROLES", "plan=planner", "in a municipality"),
        ("ROLES", "plan=moon/operator", "whole installation"),
    ],
)
def test_settings_are_checked(name: str, value: str, said: str) -> None:
    with pytest.raises(UsageError, match=rf"setting oidc\.{name.lower()}.*{said}"):
        load({f"VERKEHRSPULS_OIDC__{name}": value})
