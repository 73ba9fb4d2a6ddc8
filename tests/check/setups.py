"""One row of the matrix: proxies in front of an app, and the code that must come out."""

from __future__ import annotations

from dataclasses import dataclass

from tests.check.frames import Frame

HOST = "app.example.test"
HEALTHY = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One row.

    Attributes:
        name: what is wrong, or why it is right.
        hops: from the browser inwards; none for an app that is asked directly.
        expected: the code of the first finding; empty: nothing above info.
        url: `{port}` is the front's port.
        tls: which certificate the front serves; empty for http.
        app: which app is asked where there is no hop.
        timeout_s: short where something hangs for certain.
        limits: measure limits, and watch an idle connection for so many seconds.
    """

    name: str
    expected: str
    hops: tuple[Frame, ...] = ()
    url: str = ""
    tls: str = ""
    app: str = ""
    timeout_s: float = 60.0
    limits: float = 0

    @property
    def address(self) -> str:
        """The URL, which names a public host that only the test resolves."""
        scheme = "https" if self.tls else "http"
        return self.url or f"{scheme}://{HOST}:{{port}}/app/"

    @property
    def proxies(self) -> str:
        """The products, for the table."""
        return " > ".join(frame.name for frame in self.hops) or "none"


def healthy(name: str, *hops: Frame, url: str = "", tls: str = "", app: str = "") -> Setup:
    """Return a row in which nothing may be found."""
    return Setup(name=name, expected=HEALTHY, hops=hops, url=url, tls=tls, app=app)


def broken(
    name: str,
    expected: str,
    *hops: Frame,
    url: str = "",
    tls: str = "",
    app: str = "",
    timeout_s: float = 60.0,
    limits: float = 0,
) -> Setup:
    """Return a row in which `expected` must be the first finding."""
    return Setup(
        name=name,
        expected=expected,
        hops=hops,
        url=url,
        tls=tls,
        app=app,
        timeout_s=timeout_s,
        limits=limits,
    )
