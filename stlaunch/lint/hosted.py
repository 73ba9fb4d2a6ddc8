"""Recognise a backend that is found by the Host it gets, as on a platform. Pure.

Such a platform answers 404 to the page's own Host, so it must never be advised there.
"""

from __future__ import annotations

import ipaddress
import re

from stlaunch.urls.origin import HostPort

_HTTPS_PORT = 443
# Names of somebody's own network: reserved, or in wide use there.
_OWN_NETWORK = re.compile(
    r"(?:.*\.)?(?:localhost|local|localdomain|internal|intranet|lan|corp|home|private|svc|docker"
    r"|home\.arpa|test|example|invalid)"
)


def routed_by_host(url: str) -> str:
    """Return the public name to which https requests are passed; empty for any other target.

    >>> routed_by_host("https://app.azurewebsites.net/x"), routed_by_host("https://app.internal")
    ('app.azurewebsites.net', '')
    """
    scheme, _, rest = url.partition("://")
    place = HostPort.parse(re.split(r"[/?]", rest, maxsplit=1)[0])
    if scheme not in {"https", "wss"} or place is None or "." not in place.host:
        return ""
    if place.port not in {None, _HTTPS_PORT}:  # a server of its own
        return ""
    try:
        ipaddress.ip_address(place.host)
    except ValueError:
        return "" if _OWN_NETWORK.fullmatch(place.host) else place.host
    return ""


def host_note(name: str) -> str:
    """Say what follows from Host being another name than the page's, where that has to stay."""
    return (
        f"The app gets {name} as Host, by which a platform finds it, so leave that as it is. "
        "Bare Streamlit there needs this site in server.corsAllowedOrigins; stlaunch needs nothing,"
        " or --public-url."
    )
