"""What proxies say about a request in forwarding headers, and which of them is believed."""

from stlaunch.forwarded.headers import FORWARDING_HEADERS
from stlaunch.forwarded.resolve import Forwarded, resolve_forwarded
from stlaunch.forwarded.trusted_proxies import TrustedProxies

__all__ = ["FORWARDING_HEADERS", "Forwarded", "TrustedProxies", "resolve_forwarded"]
