"""What a browser requests from a Streamlit app, and what each proxy must do with it."""

from __future__ import annotations

from stlaunch.quick_dataclass import dataclass
from stlaunch.urls import streamlit_routes
from stlaunch.urls.base_path import BasePath

OWN_SEGMENTS = frozenset(
    ("_stcore", "_stlaunch", "static", "media", "component", "stream", "healthz", "vendor")
)
"""First segments below the base that are Streamlit's own, or were in older versions."""

LOST_HEADERS = {
    "connection": "STL301",
    "upgrade": "STL301",
    "sec-websocket-protocol": "STL307",
    "cookie": "STL507",
    "x-xsrftoken": "STL506",
}
"""Request headers without which something does not work, and its code."""
OTHER_ORIGIN = (
    "The app sees another Origin than the browser's, so bare Streamlit lets pages of every site in."
)

XSRF = "_streamlit_xsrf"
XSRF_COOKIE = f"{XSRF}=2|0a1b2c3d|0a1b2c3d4e5f|1700000000; Path=/; SameSite=Lax"
"""The cookie as Streamlit sets it, for expressions to match."""
HTTP_ONLY = (
    f"The page cannot read {XSRF} (HttpOnly), so its uploads lack X-Xsrftoken: bare Streamlit "
    "answers them 403."
)

STREAM = streamlit_routes.STREAM
UPLOAD = streamlit_routes.UPLOAD + "session/file"
PAGE = "/"
COMPONENT = "/component/name/index.html"
SCRIPT = "/static/js/index.abc123.js"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Something that the browser requests.

    Attributes:
        end: the path below the base.
        code: the finding if it does not reach the app.
        what: its name, after "The app's".
        is_one: its name is singular.
        method: of the request.
    """

    end: str
    code: str
    what: str
    method: str = "GET"
    is_one: bool = False

    @property
    def loss(self) -> str:
        """The beginning of a sentence that says it does not arrive."""
        return f"The app's {self.what} never {'reaches' if self.is_one else 'reach'} it"

    @property
    def is_upgrade(self) -> bool:
        """It is the WebSocket handshake."""
        return self.end == STREAM


ALL = (
    Asked(end=STREAM, code="STL316", what="WebSocket handshake", is_one=True),
    Asked(end=UPLOAD, code="STL208", what="uploads", method="PUT"),
    Asked(end=streamlit_routes.HEALTH, code="STL210", what="health check", is_one=True),
    Asked(end=streamlit_routes.HOST_CONFIG, code="STL210", what="host configuration", is_one=True),
    Asked(end=SCRIPT, code="STL208", what="scripts"),
    Asked(end="/static/css/index.abc123.css", code="STL208", what="style sheets"),
    Asked(end="/static/media/font.abc123.woff2", code="STL208", what="fonts"),
    Asked(end="/media/abc123.png", code="STL208", what="pictures"),
    Asked(end=PAGE, code="STL123", what="page", is_one=True),
)


def base_of(prefix: str) -> tuple[str, bool]:
    """Return the base path that a route's prefix implies, and whether it is for one of the parts.

    >>> base_of("/app/_stcore/"), base_of("/app/")
    (('/app', True), ('/app', False))
    """
    segments = prefix.split("/")
    own = next((n for n, segment in enumerate(segments) if segment in OWN_SEGMENTS), None)
    return "/".join(segments[:own]).rstrip("/"), own is not None


def choose_bases(found: dict[str, bool]) -> tuple[list[BasePath], list[str]]:
    """Return the app's paths, and those that only left-over routes mention.

    Of nested paths the outermost is the app's. A path that only routes for Streamlit's parts
    mention is the app's own only if there is no other.

    Args:
        found: each path, and whether only routes for parts mention it.
    """
    whole = [path for path, is_part in found.items() if not is_part] or list(found)
    outermost = [
        path
        for path in sorted(whole)
        if not any(path != other and f"{path}/".startswith(f"{other}/") for other in whole)
    ]
    left = [
        path
        for path in sorted(found)
        if not any(path == base or f"{path}/".startswith(f"{base}/") for base in outermost)
    ]
    return [BasePath(path) for path in outermost], left


def mapping_fault(base: BasePath, end: str, sent: str) -> tuple[str, str] | None:
    """Return the code and the consequence where the app gets a path that it does not answer.

    Streamlit tolerates a doubled slash only among its static files: `/static//js/x.js` is 200,
    `//static/js/x.js` is 400, and `/_stcore//stream` is no route.

    >>> mapping_fault(BasePath("/app"), "/_stcore/stream", "//_stcore/stream")
    ('STL204', 'with a doubled slash')
    """
    if sent.startswith("//") or ("//" in sent and not end.startswith("/static/")):
        return "STL204", "with a doubled slash"
    plain = sent.replace("//", "/")
    if plain in {end, base.value + end}:
        return None
    if plain.endswith(end):
        front = plain.removesuffix(end)
        return ("STL213", "with half of the path stripped") if base.value.endswith(front) else None
    return "STL316", "which no app answers"


def is_own_path(base: BasePath, end: str, sent: str) -> bool:
    """Return whether the app gets a path that is right only if the app itself lives there."""
    plain = sent.replace("//", "/")
    if plain in {end, base.value + end} or not plain.endswith(end):
        return False
    return not base.value.endswith(plain.removesuffix(end))
