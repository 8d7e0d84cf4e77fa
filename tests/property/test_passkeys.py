"""Whatever strangers send as the answer of a passkey, it is read or refused."""

import json
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.authenticator import encoded
from verkehrspuls.access import passkeys

PARTY: Final = passkeys.relying_party("https://verkehr.example.org")
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(
    st.text()
    | JSON.map(json.dumps)
    | st.fixed_dictionaries(
        {
            "id": st.just("AAAA") | JSON,
            "rawId": st.just("AAAA") | JSON,
            "type": st.just("public-key"),
            "response": st.dictionaries(
                st.sampled_from(
                    [
                        "clientDataJSON",
                        "authenticatorData",
                        "attestationObject",
                        "signature",
                        "userHandle",
                    ]
                ),
                st.binary().map(encoded)
                | JSON.map(lambda v: encoded(json.dumps(v).encode()))
                | JSON,
            ),
        }
    ).map(json.dumps)
)
def test_what_is_no_answer_raises_nothing(answer: str) -> None:
    assert passkeys._New.read(answer, PARTY).reason
    found = passkeys._Given.read(answer)
    assert found is None or found.credential is not None
