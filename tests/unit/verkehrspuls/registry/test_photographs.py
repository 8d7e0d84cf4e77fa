"""Photographs: nothing but the image is kept, and nothing but images is taken."""

import io
import struct
import zlib
from typing import Any, Final

import pytest
from PIL import Image

from verkehrspuls.registry.photographs import MAX_BYTES, NotAPhotograph, prepared

SCRIPT: Final = b"<script>alert(1)</script>"
SVG: Final = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def drawn(format: str, size: tuple[int, int] = (400, 200), **more: Any) -> bytes:
    """A picture whose left half is red."""
    picture = Image.new(more.pop("mode", "RGB"), size, "blue")
    picture.paste("red", (0, 0, size[0] // 2, size[1]))
    out = io.BytesIO()
    picture.save(out, format, **more)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    found = prepared(data)
    image = Image.open(io.BytesIO(found.image))
    assert image.format == "JPEG"
    assert image.size == (found.width, found.height)
    return image


def chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def claims(width: int, height: int) -> bytes:
    """A PNG that says this size of itself, and contains nothing."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def test_where_it_was_taken_and_what_stands_behind_it_is_gone() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8825).update({1: "N", 2: (49.0, 26.0, 40.0)})
    given = drawn("JPEG", exif=exif, comment=b"by Anne") + SCRIPT
    assert b"Maker" in given
    image = opened(given)
    assert dict(image.getexif()) == {}
    assert {*image.info} <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    kept = prepared(given).image
    assert not any(word in kept for word in (b"Maker", b"Exif", b"Anne", SCRIPT))


@pytest.mark.parametrize("tag", [b"\x01\x0f", b"\x01\x42"], ids=["right", "wrong"])
def test_it_stands_upright(tag: bytes) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    exif[0x010F] = "Maker"  # as another tag: a text where a number belongs
    given = drawn("JPEG", exif=exif)
    image = opened(given.replace(b"\x01\x0f\x00\x02", tag + b"\x00\x02"))
    assert image.size == (200, 400)
    assert image.crop((20, 20, 180, 180)).getcolors() == [(160 * 160, (254, 0, 0))]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_large_one_becomes_smaller(format: str) -> None:
    assert opened(drawn(format, (5000, 2500))).size == (2048, 1024)


def test_what_is_transparent_is_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (50, 50), (0, 0, 0, 0)).save(out, "PNG")
    assert opened(out.getvalue()).getpixel((25, 25)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no photograph"),
        (SVG, "no photograph"),
        (b"<?xml version='1.0'?>" + SVG, "no photograph"),
        (b"%PDF-1.7", "no photograph"),
        (drawn("GIF"), "no photograph"),
        (drawn("TIFF"), "no photograph"),
        (drawn("JPEG")[:900], "damaged"),
        (drawn("PNG")[:200], "damaged"),
        (claims(100, 100), "damaged"),
        (claims(8001, 8000), "64 megapixels"),
        (claims(10_000, 10_000), "64 megapixels"),
        (claims(60_000, 60_000), "64 megapixels"),
        (drawn("JPEG") + bytes(MAX_BYTES), "20 MB"),
    ],
    ids=range(13),
)
def test_nothing_else_is_taken(data: bytes, said: str) -> None:
    with pytest.raises(NotAPhotograph, match=said):
        prepared(data)
