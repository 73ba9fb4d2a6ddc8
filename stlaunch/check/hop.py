"""Describe one hop on the way to the app; recognising it is done in `hops`."""

from __future__ import annotations

from stlaunch.proxies.needs import Product
from stlaunch.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One thing that answers.

    Attributes:
        name: as people call it.
        product: the one that lines are known for; None for others.
        version: empty if it does not reveal it.
        evidence: what gave it away.
    """

    name: str
    product: Product | None = None
    version: str = ""
    evidence: str = ""
    is_app: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()

    def as_dict(self) -> dict[str, str | bool | None]:
        """Return it for a JSON report."""
        return {
            "name": self.name,
            "product": str(self.product) if self.product else None,
            "version": self.version,
            "evidence": self.evidence,
            "is_app": self.is_app,
        }
