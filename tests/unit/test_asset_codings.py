"""Which content coding a client gets (RFC 9110, section 12.5.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stlaunch.gateway.assets.codings import available_codings, choose_coding

BOTH = ["br", "gzip"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("deflate", None),
        ("*", "br"),
        ("br;q=0, *", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.000, br;q=0", None),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br; Q=0.5 ,gzip ; q=0.5", "br"),
        ("gzip;q=0.5, identity", None),
        ("gzip, identity;q=0.5", "gzip"),
        ("gzip, identity;q=0", "gzip"),
        ("identity;q=0", None),
        ("identity;q=0, *;q=0", None),
        ("*;q=0", None),
        ("*;q=0, gzip", "gzip"),
        ("gzip;q=high", None),
        ("gzip;q=7", None),
        ("gzip;q=-1", None),
        ("gzip;q=nan", None),
        (",,;;q=1,=", None),
    ],
)
def test_choice(header: str | None, expected: str | None) -> None:
    assert choose_coding(header, BOTH) == expected


@given(st.text(max_size=80))
def test_any_header_is_read(header: str) -> None:
    assert choose_coding(header, BOTH) in {None, *BOTH}


def test_codings_undo_themselves_and_refuse_what_is_not_theirs() -> None:
    content = b"function f() {}\n" * 500
    for coding in available_codings():
        packed = coding.compress([content])

        assert b"".join(coding.decompress([packed[:9], packed[9:]])) == content
        assert coding.compress([content]) == packed
        assert coding.compress([content[:7], content[7:]])
        for damaged in (b"", b"nothing of the kind", packed[: len(packed) // 2]):
            with pytest.raises(ValueError, match="not"):
                list(coding.decompress([damaged]))
    assert "gzip" in {coding.token for coding in available_codings()}
