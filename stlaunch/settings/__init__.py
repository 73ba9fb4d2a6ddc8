"""What the user decided: each setting parsed once, with the place it came from."""

from __future__ import annotations
