"""A certificate authority for the names that the tests use.

Owns the files of one certificate. It must not know who serves it.
"""

from __future__ import annotations

import base64
import hashlib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from pathlib import Path

APP_HOST = "app.example.test"
SIBLING_HOST = "evil.example.test"
OTHER_HOST = "other.test"
HOSTS = (APP_HOST, SIBLING_HOST, "*.example.test", OTHER_HOST, "localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """One certificate for all test hosts, its key, and the authority that signed it; all PEM."""

    certificate: Path
    key: Path
    authority: Path
    spki: str
    """For Chromium's `--ignore-certificate-errors-spki-list`."""

    def client_context(self) -> ssl.SSLContext:
        """Return a context that trusts the test authority alone, and speaks HTTP/1.1."""
        context = ssl.create_default_context(cafile=str(self.authority))
        context.set_alpn_protocols(["http/1.1"])
        return context


def make_tls(directory: Path) -> Tls:
    """Write a new authority's certificate for all test hosts below `directory`."""
    authority = trustme.CA()
    issued = authority.issue_cert(*HOSTS)
    tls = Tls(
        certificate=directory / "cert.pem",
        key=directory / "key.pem",
        authority=directory / "authority.pem",
        spki=_spki(issued.cert_chain_pems[0].bytes()),
    )
    tls.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    tls.key.write_bytes(issued.private_key_pem.bytes())
    authority.cert_pem.write_to_path(str(tls.authority))
    return tls


def _spki(certificate: bytes) -> str:
    public_key = x509.load_pem_x509_certificate(certificate).public_key()
    der = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()
