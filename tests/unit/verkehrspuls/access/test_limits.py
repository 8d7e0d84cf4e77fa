import pytest

from verkehrspuls.access import limits


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("testclient", ""),
        ("", ""),
    ],
)
def test_addresses_of_one_customer_count_together(address: str, network: str) -> None:
    assert limits.network(address) == network
