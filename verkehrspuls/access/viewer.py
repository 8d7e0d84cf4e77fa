"""Who views: every read names its viewer.

What a viewer sees is decided in the database, by the credential alone; see
docs/adr/0012-access.md.
"""

from typing import Final, NamedTuple


class Viewer(NamedTuple):
    """Somebody who reads, by the SHA-256 of the credential that they showed."""

    #: in hex, with a colon and the permission that it is used for, where that is not
    #: `view`; empty: nobody in particular
    credential: str = ""


#: who shows no credential, and sees what is for everybody
ANONYMOUS: Final = Viewer()
