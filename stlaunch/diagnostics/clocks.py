"""How far a server's clock and a browser's may be apart."""

from __future__ import annotations

MAX_SKEW_S = 300
"""What logins usually allow; the text of STL806 says it in words."""
