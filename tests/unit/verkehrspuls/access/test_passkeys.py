import pytest

from verkehrspuls.access.passkeys import NoPasskeys, relying_party


@pytest.mark.parametrize(
    ("address", "port"),
    [
        ("https://verkehr.example.org", ""),
        ("https://Verkehr.example.org/de/", ""),
        ("https://verkehr.example.org:443", ""),
        ("https://verkehr.example.org:8443/x", ":8443"),
    ],
)
def test_passkeys_are_made_for_the_host_of_the_pages(address: str, port: str) -> None:
    host = "verkehr.example.org"
    assert relying_party(address) == (host, f"https://{host}{port}")


def test_without_tls_only_on_the_own_machine() -> None:
    assert relying_party("http://localhost:8000") == (
        "localhost",
        "http://localhost:8000",
    )
    assert relying_party("http://vp.localhost") == (
        "vp.localhost",
        "http://vp.localhost",
    )


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "is not set"),
        ("http://verkehr.example.org", "does not begin with https"),
        ("http://notlocalhost", "does not begin with https"),
        ("https://127.0.0.1:8000", "127.0.0.1 is a number"),
        ("https://[::1]", "::1 is a number"),
        ("https://verkehr.müller.example", "xn--"),
    ],
)
def test_where_browsers_would_refuse_it_is_said_what_to_set(
    address: str, reason: str
) -> None:
    with pytest.raises(NoPasskeys, match=reason) as refused:
        relying_party(address)
    assert "Set `pages.address` to the address" in str(refused.value)
