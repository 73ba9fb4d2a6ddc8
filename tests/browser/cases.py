"""One setup of proxy and scheme, and its name in a test report."""

from __future__ import annotations

from typing import TypeAlias

Case: TypeAlias = tuple[str, str, bool, bool]
"""Kind, setup, whether the prefix is kept, whether the front speaks https."""


def case_name(case: Case) -> str:
    """`nginx-blog-stripped-http`."""
    kind, setup, keep_prefix, is_https = case
    mode = "kept" if keep_prefix else "stripped"
    return f"{kind}-{setup}-{mode}-{'https' if is_https else 'http'}"
