"""Hold the values that fill in the fixes for the running app: address, path, limits.

Created once, by `compose`, and shared by the log and the self-check; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from stlaunch.gateway.request import RequestInfo
from stlaunch.proxies.fixes import Fix, fix_for
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.recognition import products_in
from stlaunch.proxies.site import SOME_HOST, SOME_SOCKET, Site, plain_origins
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls import streamlit_defaults
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort, Origin
from stlaunch.urls.public_paths import PrefixMode

LOSE_UPGRADES = (Product.NGINX, Product.APACHE, Product.ENVOY)
"""The usual ones, named if the proxy does not identify itself."""
_BYTES_IN_MB = 1024 * 1024  # as in server.maxUploadSize


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSite:
    """What is known about the app before any request.

    Attributes:
        max_upload_bytes: Streamlit's limit for one file.
        ping_interval_s: how often a quiet socket is pinged.
        embedders: the only other sites that may show the app in a frame.
    """

    max_upload_bytes: Callable[[], int] = lambda: streamlit_defaults.MAX_UPLOAD_BYTES
    ping_interval_s: Callable[[], int] = lambda: streamlit_defaults.PING_INTERVAL_S
    embedders: tuple[Origin, ...] = ()

    def seen_by(self, request: RequestInfo, *, hides_host: bool = False) -> Site:
        """Return the site as one request saw it, behind the proxy that it came through.

        Args:
            request: its path, its scheme, and the address at which it reached the app.
            hides_host: for a client, who may see the app's port but not its machine.
        """
        known = Site(
            base_path=request.base or BasePath(),
            is_https=request.scheme == "https",
            keep_prefix=request.mode is not PrefixMode.STRIPPED,
            max_upload_mb=max(1, self.max_upload_bytes() // _BYTES_IN_MB),
            ping_interval_s=self.ping_interval_s(),
            embedders=plain_origins(map(str, self.embedders)),
        )
        if request.app_socket:
            shown = SOME_SOCKET if hides_host else request.app_socket
            return replace(known, upstream=f"unix:{shown}", knows_upstream=not hides_host)
        address = request.app_address
        if address is None:
            return replace(known, knows_upstream=False)
        if hides_host:
            return replace(known.at(HostPort(SOME_HOST, address.port)), knows_upstream=False)
        return known.at(address)

    def fixes(
        self, need: Need, request: RequestInfo, *otherwise: Product, hides_host: bool = False
    ) -> tuple[tuple[Product, Fix], ...]:
        """Return the lines for the proxy that the request came through, if they are known.

        Args:
            need: what is missing.
            request: identifies the proxy, by its headers, and the site.
            otherwise: the products to name if no recognised one has lines for this need.
            hides_host: as above.
        """
        site = self.seen_by(request, hides_host=hides_host)
        for products in (products_in(request.headers)[:1], otherwise):
            pairs = [(product, fix_for(need, product, site)) for product in products]
            if found := tuple((product, fix) for product, fix in pairs if fix):
                return found
        return ()

    def fix_text(
        self, need: Need, request: RequestInfo, *otherwise: Product, hides_host: bool = False
    ) -> str:
        """Return the same as text to paste, one block per product."""
        return "\n".join(
            fix.text for _, fix in self.fixes(need, request, *otherwise, hides_host=hides_host)
        )

    def brief_fix(self, need: Need, request: RequestInfo, code: str) -> str:
        """Return the lines for the proxy if its requests name it, else where to read them."""
        lines = self.fix_text(need, request)
        if lines:
            return f"\n{lines}\nMore: stlaunch explain {code}"
        return (
            "The requests do not name the proxy. For the lines that nginx, Apache and others need: "
            f"stlaunch explain {code}"
        )
