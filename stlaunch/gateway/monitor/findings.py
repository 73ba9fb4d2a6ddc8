"""Build the findings of the running server: what happened, and the lines that fix it."""

from __future__ import annotations

from shlex import quote

from stlaunch.diagnostics.finding import Finding
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.gateway.page.blocked import Blocked
from stlaunch.process.memory import Memory
from stlaunch.proxies.fixes import Fix
from stlaunch.proxies.needs import Product
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort, Origin


def upgrade_stripped(missing: tuple[str, ...], fix: str, brief: str = "") -> Finding:
    """Describe a proxy that forwards the WebSocket handshake as a plain request.

    Args:
        missing: the headers that did not arrive.
        fix: the lines that let them through.
        brief: what the log says instead.
    """
    return Finding(
        code="STL301",
        title=f"A proxy dropped {' and '.join(missing)} from the WebSocket handshake",
        fix=fix,
        brief=brief,
    )


def origin_rejected(
    origin: str, host: str, forwarded_host: str | None, fixes: tuple[tuple[Product, Fix], ...]
) -> Finding:
    """Describe a handshake that the same-origin rule refused."""
    lines = ", ".join(f"{product}: `{fix.lines.splitlines()[0]}`" for product, fix in fixes)
    alternative = f"({lines}) " if lines else ""
    allowed = Origin.parse(origin)
    came = f"from Origin {origin!r}" if origin else "without Origin"
    forwarded = f", forwarded host {forwarded_host!r}" if forwarded_host else ""
    fix = (
        "If that is the address of your app, let the proxy pass it on "
        f"{alternative}or start stlaunch with "
        f"`--allow-origin {quote(str(allowed or 'https://HOST'))}`."
    )
    return Finding(
        code="STL501",
        title=f"A WebSocket {came} was refused: Host is {host!r}{forwarded}",
        fix=fix if origin else "Browsers always send Origin: let the proxy pass the header on.",
        names_others=True,
    )


def both_forms(path: BasePath) -> Finding:
    """Describe pages loaded both kept and stripped; one of the two may be a visitor's doing."""
    return Finding(
        code="STL214",
        title=f"Pages below {path.with_slash} arrive both with the path and without it",
        fix="If you changed the proxy's configuration, restart the app. Otherwise say what the "
        "proxy does: --prefix stripped or --prefix kept. Where one proxy keeps the path and "
        "another one strips it: --prefix both.",
    )


def slash_missing(base: BasePath, app: HostPort | None) -> Finding:
    """Describe a proxy that leaves out the slash between the path and what follows it."""
    example = f": http://{app}{base}/" if app else ""
    return Finding(
        code="STL215",
        title=(
            f"The proxy leaves out the slash after {base}: {base}_stcore/... arrives for "
            f"{base}/_stcore/..."
        ),
        fix=f"Where the proxy passes {base}/ on, end the app's address with a slash{example}",
    )


def cookies_missing_in_frame(what: str) -> Finding:
    """Describe a browser that sends none of the app's cookies, as in a third-party frame."""
    return Finding(
        code="STL510",
        title=f"{what} came without the app's cookies and was refused, as happens in a frame of "
        f"another site",
        fix="If another site shows the app in a frame, add it: --embed-in https://portal.example. "
        "Otherwise a proxy drops cookies.",
    )


def fell_back(
    reason: str, upgrade_fix: str, *, via: str, brief: str, is_explained: bool = False
) -> Finding:
    """Describe a page that uses the HTTP transport because its WebSocket does not work.

    Args:
        reason: what the page saw, such as `does not open`.
        upgrade_fix: the lines that let the WebSocket through.
        via: the proxies that named themselves; empty if none did.
        brief: what the log says instead of those lines.
        is_explained: whether `upgrade_stripped` has already been logged with its fix.
    """
    proxy = f" (the request came through {via})" if via else ""
    works = "The app works, a little slower. To get the WebSocket back: "
    fix = "see STL301 above." if is_explained else f"\n{upgrade_fix}"
    return Finding(
        code="STL302",
        title=f"A page fell back to HTTP: its WebSocket {reason or 'does not work'}{proxy}",
        fix=f"{works}{fix}",
        brief="" if is_explained else f"The app works, a little slower. {brief}",
    )


def body_limited(passed: int, refused: int, fix: str) -> Finding:
    """Describe a proxy that refuses large request bodies.

    Args:
        passed: the largest body in bytes that got through; 0 if not known.
        refused: the smallest that did not.
        fix: the lines that raise the limit.
    """
    known = f" ({passed} bytes pass, {refused} do not)" if refused else ""
    return Finding(
        code="STL602",
        title=f"A proxy limits request bodies{known}; uploads are sent in pieces",
        fix=fix,
    )


def large_headers(way: str, size: int, *, fix: str, brief: str) -> Finding:
    """Describe headers that a proxy with the usual limits refuses.

    Args:
        way: who sends them, such as `A browser sends`.
        size: their total size in bytes.
        fix: the lines that raise the limit.
        brief: what the log says instead.
    """
    return Finding(
        code="STL609",
        title=f"{way} {size / 1024:.1f} KB of headers, for which many proxies have no room",
        fix=fix,
        brief=brief,
    )


def method_refused(status: str) -> Finding:
    """Describe a proxy that lets POST through, and refuses the methods of uploads.

    Args:
        status: what it answered.
    """
    return Finding(
        code="STL512",
        title=f"A proxy answers {status} to PUT or DELETE; uploads are sent with POST",
        fix="Uploads work all the same. To spare the detour, allow both below the app's path.",
    )


def uploads_over_socket() -> Finding:
    """Describe a path on which no upload request arrives whole."""
    return Finding(
        code="STL506",
        title="No request that uploads arrives as its page sent it; uploads use a WebSocket",
        fix="Uploads work all the same. A proxy removes or changes Cookie, Set-Cookie or "
        "X-Xsrftoken, or refuses PUT and POST: let it hand them on as they are.",
    )


def memory_almost_full(memory: Memory) -> Finding:
    """Describe a container, pod or service that is about to be killed for its memory."""
    megabytes = [round((size or 0) / 2**20) for size in (memory.cgroup_bytes, memory.limit_bytes)]
    return Finding(
        code="STL610",
        title=(
            f"{megabytes[0]} of {megabytes[1]} MiB of memory are in use; "
            f"{round(memory.process_bytes / 2**20)} MiB by this process"
        ),
        fix=(
            "At the limit the kernel kills the app, and all sessions are lost. Raise the limit "
            "(docker run --memory, resources.limits.memory, MemoryMax=), or limit the sessions: "
            "--max-sessions. st.cache_data keeps everything it caches: set max_entries."
        ),
    )


def untrusted_forwarding(peer: str, headers: tuple[str, ...]) -> Finding:
    """Describe forwarding headers from a peer that nobody declared a proxy."""
    return Finding(
        code="STL401",
        title=f"{', '.join(headers)} came from {peer}, which is not a trusted proxy",
        fix=f"If this is your proxy: --trusted-proxies {quote(peer)}",
        names_others=True,
    )


def blocked_by_policy(blocked: Blocked, fix: str) -> Finding:
    """Describe what a Content-Security-Policy keeps from the page, as a browser reported it."""
    if blocked.is_of_another_site:
        fix = (
            f"If the app needs it, add the site's address to {blocked.directive} of the policy: "
            "the browser's console names it."
        )
    return Finding(
        code="STL810",
        title=f"A browser reports that the page's Content-Security-Policy {blocked}",
        fix=fix,
        circumstances=() if blocked.stops_the_page else (Circumstance.PART_ONLY,),
    )
