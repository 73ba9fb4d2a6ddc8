"""Give the app one form of the path, whatever the proxy did to it.

Worked example, public path `/app`, a script (Streamlit's own `server.baseUrlPath` is `app`):

    arrives as      what the proxy did      handed on as    root_path
    /app/page2      kept                    /app/page2      ""
    /page2          stripped                /app/page2      ""
    //page2         stripped, doubled       /app/page2      ""
    /app            kept, no slash          307 to app/
    /app/app/page2  doubled by a visitor    404

For a FastAPI or Starlette target, and for the routes that an `st.App` adds to Streamlit's, the
public path is ASGI's `root_path` and the path is the full one. Only `streamlit_routes.classify`
decides what a path is for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from urllib.parse import quote, unquote, urlsplit

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from stlaunch.diagnostics.handshake import header_value
from stlaunch.forwarded.headers import is_handed_on
from stlaunch.gateway.middleware.relative_redirects import relative_redirects
from stlaunch.gateway.monitor.finding_log import FindingLog
from stlaunch.gateway.monitor.findings import both_forms, slash_missing
from stlaunch.gateway.places import client_key
from stlaunch.gateway.request import ArrivedRequest, RequestInfo, arrived_request, with_request
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.public_paths import Location, PrefixMode, PublicPaths, is_redirected
from stlaunch.urls.streamlit_routes import (
    METRICS,
    RequestKind,
    Route,
    base_of_page_file,
    classify,
    split_page_address,
)

_PATH_MARKS = "~!$&'()*+,;=:@"
# A slash, or a character that is unreserved (RFC 3986, sections 2.3 and 6.2.2.2).
_NEEDLESSLY_ENCODED = re.compile(
    rb"%(?:2[def]|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])", re.IGNORECASE
)


class BasePathMiddleware:
    """Find the path below the public path, and classify the request: once, for all layers below.

    The app is served at its public path, and without it for a proxy that strips it.

    Args:
        app: the next layer.
        paths: the public and mount paths.
        app_base: the prefix that the app itself expects: `server.baseUrlPath` of a script.
        uses_root_path: whether to pass the public path as ASGI's root_path (FastAPI, Starlette).
        is_own_route: says whether a request, its public path in root_path, is for a route that
            an `st.App` adds to Streamlit's: that route's own path does not include `app_base`.
        mounts: where Streamlit is mounted inside the app; a function, because routes may be
            added after the app was wrapped.
        is_asset: says whether `js/index.abc.js` exists among Streamlit's static files.
        requests_by_mode: counts the requests that came kept, and those that came stripped.
        finding_log: takes the finding about paths that arrive in both forms.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        paths: PublicPaths,
        app_base: BasePath,
        uses_root_path: bool,
        is_own_route: Callable[[Scope], bool],
        mounts: Callable[[], Sequence[BasePath]],
        is_asset: Callable[[str], bool],
        requests_by_mode: Counter[str],
        finding_log: FindingLog,
    ) -> None:
        self.app = app
        self.paths = paths
        self.app_base = app_base
        self.uses_root_path = uses_root_path
        self.is_own_route = is_own_route
        self.mounts = mounts
        self.is_asset = is_asset
        self.requests_by_mode = requests_by_mode
        self.finding_log = finding_log
        paths.seen.on_conflict = lambda path: finding_log.post(both_forms(path))

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one ASGI scope."""
        if scope["type"] not in {"http", "websocket"}:
            return self.app(scope, receive, send)
        arrived = arrived_request(scope)
        outer = str(scope.get("root_path", ""))
        if outer and BasePath(outer) in self.paths.known:
            # `uvicorn --root-path /app` means the same as --behind-proxy: it counts once.
            scope, outer = {**scope, "root_path": ""}, ""
        glued = self.paths.glued_base(scope["path"]) if not outer else None
        if glued is not None and (unglued := self._unglue(scope, glued, arrived)):
            if is_redirected(glued, scope["path"]):
                return _redirect("../", scope)(scope, receive, send)
            scope = unglued
        path = BasePath(outer).strip_from(scope["path"]) if outer else scope["path"]
        location, route = self._place(scope, path if path is not None else scope["path"], arrived)
        if route.has_fixed_name and _is_spelled_otherwise(scope, location, BasePath(outer)):
            route = Route(kind=RequestKind.ALIAS)
        redirect = _redirect_of(scope, location, route)
        if redirect is not None and not (location.rest and self._is_own(scope, location)):
            return redirect(scope, receive, send)
        request = _request_info(arrived, location, route, outer)
        canonical = self._rewrite(scope, location, outer, request)
        if scope["type"] == "http":
            self.requests_by_mode[str(location.mode)] += 1
            send = relative_redirects(send, canonical, location.rest or "/")
        return self.app(canonical, receive, send)

    def _unglue(self, scope: Scope, base: BasePath, arrived: ArrivedRequest) -> Scope | None:
        """Put back the slash that a proxy left out; None if the path is spelled differently."""
        raw, front = scope.get("raw_path"), base.value.encode()
        if raw is not None and not raw.startswith(front):
            return None
        self.paths.seen.glued.add(base)
        client = client_key(arrived.client or arrived.peer)
        self.finding_log.post(slash_missing(base, arrived.app_address), client=client)
        path = base.decoded + "/" + scope["path"][len(base.decoded) :]
        if raw is None:
            return {**scope, "path": path}
        return {**scope, "path": path, "raw_path": front + b"/" + raw[len(front) :]}

    def _place(self, scope: Scope, path: str, arrived: ArrivedRequest) -> tuple[Location, Route]:
        """Return where a request points to, in the decided mode, and the route there."""
        location = self._locate(scope, path, arrived)
        if path and not path.startswith("/"):  # `GET s`: after the base, it would be `/apps`
            return location, Route(kind=RequestKind.ALIAS)
        route = classify(location.rest, self.mounts())
        if route.is_health:  # whatever starts the app asks, and may not know about the proxy
            return location, route
        if _is_closed(route) and self._may_be_invented(location):
            return location, Route(kind=RequestKind.ALIAS)
        resolved = self.paths.resolve(location, path)
        if resolved is None or _has_encoded_slash(scope, location):
            if not location.is_doubled:
                self._note_refused(location, route)
            return location, Route(kind=RequestKind.ALIAS)
        if resolved is location:
            if route.kind is RequestKind.PAGE_SCRIPT and scope["type"] == "http":
                self._note_loaded(location, arrived)
            return location, route
        self._note_refused(location, route)
        route = classify(resolved.rest, self.mounts())
        is_page_of_that_name = resolved.rest == (resolved.public or BasePath()).decoded
        if route.kind is RequestKind.PAGE and not (
            is_page_of_that_name or self._is_own(scope, resolved)
        ):
            route = Route(kind=RequestKind.ALIAS)
        return resolved, route

    def _note_loaded(self, location: Location, arrived: ArrivedRequest) -> None:
        """Learn from a running page what the proxy did to its path."""
        if header_value(arrived.headers, b"x-stlaunch") is not None:  # no visitor's page
            return
        if self.paths.glued_base(arrived.path) is not None:
            return
        self.paths.note_slashes(location)
        front = location.public if location.mode is PrefixMode.KEPT else None
        # Whoever opens the app past the proxy does so at its root.
        is_through_proxy = arrived.forwarded.is_peer_trusted and is_handed_on(arrived.headers)
        if not self.paths.known and (front is not None or is_through_proxy):
            self.paths.seen.note_page(front or BasePath())
        self._note_mode(location, arrived)

    def _note_mode(self, location: Location, arrived: ArrivedRequest) -> None:
        shown = _path_of_referer(arrived)
        if location.mode is PrefixMode.KEPT and location.public is not None:
            rest = location.public.strip_from(shown) if shown else None
            if rest is None or location.public.strip_from(rest) is None:
                self.paths.seen.note(location.public, PrefixMode.KEPT)
            return
        sent_prefix = arrived.forwarded.prefix
        if sent_prefix is not None and (sent_prefix in self.paths.known or not self.paths.known):
            self.paths.seen.note(sent_prefix, PrefixMode.STRIPPED)
        elif self.paths.known:
            for base in sorted(self.paths.known, key=lambda base: -base.depth):
                if shown and base.value and (base.strip_from(shown) or "").startswith("/"):
                    self.paths.seen.note(base, PrefixMode.STRIPPED)
                    return
        elif shown and self.paths.is_learning:  # Streamlit's pages are one segment long
            base_shown = BasePath.parse_forwarded(quote(shown.rpartition("/")[0] or "/"))
            self.paths.seen.note(base_shown or BasePath(), PrefixMode.STRIPPED)

    def _note_refused(self, location: Location, route: Route) -> None:
        # A page in the form that is not served: the proxy may have changed, or be a different one.
        is_front = route.kind is RequestKind.PAGE and location.rest in {"", "/"}
        if (is_front or route.kind is RequestKind.PAGE_SCRIPT) and location.public is not None:
            self.finding_log.post(both_forms(location.public))

    def _locate(self, scope: Scope, path: str, arrived: ArrivedRequest) -> Location:
        location = self.paths.locate(path, arrived.forwarded.prefix)
        is_of_page = scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}
        if not self.paths.is_learning or self.paths.known or not is_of_page:
            return location
        mounts, seen = self.mounts(), self.paths.seen
        evidence = base_of_page_file(location.rest, mounts, self.is_asset)
        if evidence is not None:
            here = location.public if location.mode is PrefixMode.KEPT else None
            shown = (here or BasePath()).joined(evidence)
            above = seen.page_above(shown) if evidence.value else None
            if above is not None or (shown.value and self.paths.is_stripped):
                self.finding_log.post(both_forms(shown if above is None else above))
                return location
            self.paths.learned.confirm(shown, client_key(arrived.client))
            return self.paths.locate(path, arrived.forwarded.prefix)
        address = split_page_address(location.rest, mounts) if location.public is None else None
        if address is None or seen.page_above(address[0]) is not None:
            return location
        base, page = address  # below a path that is not known yet, unless the app has a route there
        plain = replace(location, rest=location.rest.rstrip("/"))
        if self._is_own(scope, location) or self._is_own(scope, plain):
            return location
        return replace(location, rest=page, depth=location.depth + base.depth)

    def _may_be_invented(self, location: Location) -> bool:
        """Return whether a visitor can have made up the public path, past the proxy's rules.

        Nobody gave it: a request taught it, or a header says it. And pages are loaded above it.
        """
        if location.mode is not PrefixMode.KEPT or location.public is None:
            return False
        is_given = location.public in self.paths.known
        return not is_given and self.paths.seen.page_above(location.public) is not None

    def _is_own(self, scope: Scope, location: Location) -> bool:
        public = (location.public or BasePath()).decoded
        return self.is_own_route({**scope, "root_path": public, "path": public + location.rest})

    def _rewrite(self, scope: Scope, location: Location, outer: str, request: RequestInfo) -> Scope:
        canonical = with_request(scope, request)
        root_path = outer + (location.public or BasePath()).decoded
        rooted = {"root_path": root_path, "path": root_path + (location.rest or "/")}
        if self.uses_root_path or self.is_own_route({**canonical, **rooted}):
            canonical.update(rooted)
            front = outer + (location.public or BasePath()).value
        else:
            canonical["path"] = outer + self.app_base.decoded + (location.rest or "/")
            front = outer + self.app_base.value
        raw_path = scope.get("raw_path")
        if raw_path is not None:
            cut = location.depth + BasePath(outer).depth
            canonical["raw_path"] = front.encode() + _drop_segments(raw_path, cut)
        return canonical


def _request_info(
    arrived: ArrivedRequest, location: Location, route: Route, outer: str
) -> RequestInfo:
    base = None
    if route.mount is not None and (location.public is not None or outer):
        base = BasePath(outer).joined(location.public or BasePath()).joined(route.mount)
    return RequestInfo(
        peer=arrived.peer,
        client=arrived.client,
        path=arrived.path,
        scheme=arrived.scheme,
        host=arrived.host,
        forwarded=arrived.forwarded,
        headers=arrived.headers,
        app_address=arrived.app_address,
        app_socket=arrived.app_socket,
        kind=route.kind,
        name=route.name,
        mode=location.mode,
        public_path=location.public,
        app_path=location.rest,
        base=base,
        streamlit_path=route.streamlit_path,
        is_tunnel=False,
    )


def _is_closed(route: Route) -> bool:
    """Return whether proxies keep a path from visitors; health was answered before."""
    return route.kind is RequestKind.SELF_CHECK or route.streamlit_path == METRICS


def _path_of_referer(arrived: ArrivedRequest) -> str:
    """Return the path of the page in the Referer, decoded; empty without one."""
    try:
        return unquote(urlsplit(header_value(arrived.headers, b"referer") or "").path)
    except ValueError:
        return ""


def _has_encoded_slash(scope: Scope, location: Location) -> bool:
    """Return whether an encoded slash separates the segments before `rest`."""
    raw = scope.get("raw_path") or b""
    front = raw.lstrip(b"/").split(b"/")[: location.depth]
    return any(b"%2f" in segment.lower() for segment in front)


def _is_spelled_otherwise(scope: Scope, location: Location, outer: BasePath) -> bool:
    """Return whether a name is encoded needlessly: some proxies compare it undecoded."""
    rest = _drop_segments(scope.get("raw_path") or b"", location.depth + outer.depth)
    return _NEEDLESSLY_ENCODED.search(rest) is not None


def _redirect_of(scope: Scope, location: Location, route: Route) -> Response | None:
    """Return the redirect for a page whose path ends in the wrong number of slashes."""
    if route.kind is not RequestKind.PAGE or scope["type"] != "http":
        return None
    if scope["method"] not in {"GET", "HEAD"}:
        return None
    if not route.streamlit_path:  # the base without its slash: relative addresses would miss it
        last = _encoded(scope["path"].rsplit("/", 1)[-1])
        here = "./" if not last or ":" in last else ""  # `a:b/` would have the scheme `a`
        return _redirect(f"{here}{last}/" if last else here, scope)
    if route.streamlit_path.endswith("/") and route.streamlit_path != "/":
        page = location.rest.rstrip("/")
        ups = len(location.rest) - len(page)
        return _redirect("../" * ups + _encoded(page.rsplit("/", 1)[-1]), scope)
    return None


def _encoded(segment: str) -> str:
    return quote(segment, safe=_PATH_MARKS)


def _drop_segments(raw_path: bytes, count: int) -> bytes:
    path = b"/" + raw_path.lstrip(b"/")
    for _ in range(count):
        path = b"/" + path.lstrip(b"/").partition(b"/")[2]
    return b"/" + path.lstrip(b"/")


def _redirect(target: str, scope: Scope) -> Response:
    query = scope.get("query_string", b"").decode("latin-1")
    headers = {"location": target + ("?" + query if query else ""), "cache-control": "no-store"}
    return Response(status_code=307, headers=headers)
