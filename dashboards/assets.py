"""What browsers load besides pages: style sheet, script, and Plotly.js.

Plotly.js is taken from the installed Python package. An asset's address carries a hash
of its content, so that it is cached without expiry.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Final

from fastapi import Request, Response

from api.negotiation import takes

_FILES: Final = (
    *("style.css", "icon.svg", "charts.js", "passkeys.js", "register.js"),
    *("count.js", "count-worker.js", "live.js"),
    "scan.js",
)
#: run beside the pages of an address that they name, not of their own
_WORKERS: Final = ("count-worker.js",)
_MEDIA_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_CACHE_CONTROL: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """A file that browsers may cache."""

    name: str
    content: bytes

    @cached_property
    def address(self) -> str:
        """The path at which it is served."""
        stem, _, ending = self.name.rpartition(".")
        digest = hashlib.sha256(self.content).hexdigest()[:16]
        return f"/assets/{stem}.{digest}.{ending}"

    @cached_property
    def media_type(self) -> str:
        """Its content type."""
        return _MEDIA_TYPES[self.name.rpartition(".")[2]]

    @cached_property
    def compressed(self) -> bytes:
        """Its content, compressed once."""
        return gzip.compress(self.content, 9, mtime=0)


class Assets:
    """All assets, by name and by address."""

    def __init__(self) -> None:
        ours = resources.files("dashboards") / "static"
        plotly = resources.files("plotly") / "package_data" / "plotly.min.js"
        found = [Asset(name, (ours / name).read_bytes()) for name in _FILES]
        found.append(Asset("plotly.js", plotly.read_bytes()))
        self.addresses = {asset.name: asset.address for asset in found}
        self._by_address = {asset.address: asset for asset in found}

    def respond(self, request: Request) -> Response | None:
        """Serve the asset at the request's address; None if there is none."""
        asset = self._by_address.get(request.url.path)
        if asset is None:
            return None
        headers = {"Cache-Control": _CACHE_CONTROL, "Vary": "Accept-Encoding"}
        if asset.name in _WORKERS:
            headers["Service-Worker-Allowed"] = "/"
        content = asset.content
        if takes(request.headers.get("accept-encoding", ""), "gzip"):
            headers["Content-Encoding"] = "gzip"
            content = asset.compressed
        return Response(content, media_type=asset.media_type, headers=headers)
