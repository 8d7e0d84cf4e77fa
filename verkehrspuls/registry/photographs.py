"""Photographs as they are stored: smaller, upright, without metadata. Pure.

The image is decoded and written anew, so that nothing else of a file is kept: neither
where and by whom it was taken, nor what somebody put behind or into it.
"""

import io
from collections.abc import Mapping
from typing import Final, NamedTuple

from verkehrspuls.errors import UsageError
from verkehrspuls.text import mark

#: of a file that is sent
MAX_BYTES: Final = 20 * 2**20
#: of its image
MAX_PIXELS: Final = 64_000_000
#: of the longer side, as stored
_SIDE: Final = 2048
_QUALITY: Final = 82
#: what stands upright how, by the tag of Exif (`ImageOps.exif_transpose` writes the
#: metadata again, and fails where something is wrong with it)
_ORIENTATION: Final = 0x0112
_TURNED: Final[Mapping[object, str]] = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
#: what is decoded; SVG is a document that can contain scripts
_FORMATS: Final = ("JPEG", "PNG", "WEBP")

_TOO_LARGE: Final = mark("The photograph is larger than 20 MB: make it smaller.")
_TOO_WIDE: Final = mark("The photograph has more than 64 megapixels: make it smaller.")
_OTHER: Final = mark(
    "It is no photograph as JPEG, PNG or WebP: save it as one of them."
)
_BROKEN: Final = mark("The photograph is damaged or incomplete: send it again.")


class NotAPhotograph(UsageError):
    """{reason}."""

    code = "not-a-photograph"
    http_status = 422

    reason: str


class Photograph(NamedTuple):
    """A photograph as JPEG, with its size in pixels."""

    image: bytes
    width: int
    height: int


def prepared(data: bytes) -> Photograph:
    """Return a photograph as it is stored; raise `NotAPhotograph` for what is none."""
    # loaded when the first one is sent
    from PIL import Image, UnidentifiedImageError

    if len(data) > MAX_BYTES:
        raise NotAPhotograph(reason=_TOO_LARGE)
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as found:
            if found.width * found.height > MAX_PIXELS:
                raise NotAPhotograph(reason=_TOO_WIDE)
            # first smaller: turning copies the image
            found.thumbnail((_SIDE, _SIDE))
            turn = _TURNED.get(found.getexif().get(_ORIENTATION))
            upright = found.transpose(Image.Transpose[turn]) if turn else found
            plain = Image.new("RGB", upright.size, "white")
            solid = upright.convert("RGBA")
            plain.paste(solid, mask=solid)
    except UnidentifiedImageError as error:
        raise NotAPhotograph(reason=_OTHER) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise NotAPhotograph(reason=_TOO_WIDE) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise NotAPhotograph(reason=_BROKEN) from error
    out = io.BytesIO()
    plain.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return Photograph(out.getvalue(), *plain.size)
