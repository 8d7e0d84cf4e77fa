from verkehrspuls.access.permissions import OPERATOR, PERMISSIONS, ROLES, rows


def test_every_role_may_do_something_that_viewers_may_not_but_viewers() -> None:
    permitted = {role: {what for who, what in rows() if who == role} for role in ROLES}
    assert permitted["viewer"] == {"view"}
    for role in ROLES:
        assert "view" in permitted[role]
        assert role == "viewer" or permitted[role] > {"view"}


def test_figures_are_decided_by_who_knows_the_traffic() -> None:
    assert set(PERMISSIONS["cases"].roles) == {"planner", "engineer"}
    assert PERMISSIONS["installation"].roles == (OPERATOR,)
