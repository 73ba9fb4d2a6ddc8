"""HAProxy, 2.4 and newer; lines alone. The WebSocket it hands on by itself."""

from __future__ import annotations

from stlaunch.proxies.fixes.model import COMPRESSED_TYPES, Need, Part, Recipe, Site


def _route(site: Site) -> tuple[Part, ...]:
    strip = Part(
        "backend", r"http-request replace-path ^<<base_re>>/(.*)$ /\1", "The path is stripped."
    )
    first = () if site.keep_prefix else (strip,)
    if len(site.servers) == 1:
        return (*first, Part("backend", "server app <<upstream>>", "The app."))
    servers = "\n".join(
        f"server app{number} {place} cookie r{number} check"
        for number, place in enumerate(site.servers, 1)
    )
    return (*first, Part("backend", servers, "The replicas."))


def _identity(site: Site) -> tuple[Part, ...]:
    lines = "\n".join(f"http-request del-header {name}" for name in site.identity_headers)
    return (Part("backend", lines, "Nobody may say himself who he is."),) if lines else ()


def _affinity(site: Site) -> tuple[Part, ...]:
    secure = " secure" if site.is_https else ""
    lines = f'cookie <<cookie>> insert indirect nocache httponly{secure} attr "SameSite=Lax"'
    why = "Streamlit keeps sessions and uploads in one process; the cookie chooses the replica."
    return (Part("backend", lines, why), *_LEAVE_STOPPING)


_LEAVE_STOPPING = (
    Part(
        "backend",
        (
            "option persist\n"
            "option redispatch\n"
            "retries 2\n"
            "retry-on conn-failure empty-response 503\n"
            "http-request disable-l7-retry unless METH_GET"
        ),
        "A replica that stops keeps its browsers until it refuses them with 503, and then another "
        "one takes them; an upload is never repeated.",
    ),
    Part(
        "backend",
        (
            "option httpchk\n"
            "http-check send meth GET uri <<target>>_stlaunch/ready ver HTTP/1.1 "
            "hdr Host localhost\n"
            "timeout check 5s\n"
            "default-server inter 1s fall 2 rise 1"
        ),
        "A replica that starts or stops is not ready, and gets no new browsers.",
    ),
)


def _self_check(site: Site) -> tuple[Part, ...]:
    allowed = " ".join(site.self_check_from)
    exception = f" !{{ src {allowed} }}" if allowed else ""
    lines = (
        "http-request deny deny_status 403 if { path,url_dec -m reg "
        f"^<<base_re>>/+(_stlaunch(/|/(<<diagnostics>>)/?)?|_stcore/metrics)$ }}{exception}"
    )
    return (Part("frontend", lines, "Diagnostic pages and metrics are not for everybody."),)


RECIPE = Recipe(
    places={
        "defaults": "in haproxy.cfg, in `defaults`",
        "frontend": "in haproxy.cfg, in your `frontend`",
        "backend": "in haproxy.cfg, in the `backend` of the app",
    },
    reload="haproxy -c -f /etc/haproxy/haproxy.cfg && systemctl reload haproxy",
    parts={
        Need.ROUTE: _route,
        Need.SLASH: (
            Part(
                "frontend",
                (
                    "http-request redirect code 308 "
                    "location %[pathq,regsub(^<<base_re>>,<<base>>/)] "
                    "if { path <<base_or_root>> }"
                ),
                "The address without its final slash leads to the app.",
            ),
        ),
        Need.UPGRADE: (
            Part(
                "backend",
                "no option httpclose",
                "HAProxy hands the WebSocket on by itself; `option httpclose` and rules that "
                "delete Upgrade or Connection must go.",
            ),
        ),
        Need.SUBPROTOCOL: (
            Part(
                "frontend",
                "http-request set-header Sec-WebSocket-Protocol %[req.hdr(Sec-WebSocket-Protocol)]",
                "Streamlit's page closes a WebSocket whose subprotocol is not answered.",
            ),
        ),
        Need.HOST: (
            Part(
                "backend",
                (
                    "http-request set-header X-Forwarded-Host %[req.hdr(Host)]\n"
                    "http-request set-header X-Forwarded-Prefix <<base_or_root>>\n"
                    "http-request del-header X-Forwarded-Port"
                ),
                "Host goes on as it came; what the client claims is overwritten.",
            ),
        ),
        Need.SCHEME: (
            Part(
                "backend",
                "http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]",
                "Cookies get Secure, and redirects https.",
            ),
        ),
        Need.CLIENT: (
            Part(
                "backend",
                (
                    "option forwardfor\n"
                    "http-request set-header X-Real-IP %[src]\n"
                    "http-request del-header Forwarded"
                ),
                "The app sees the client's address, as the last one in X-Forwarded-For.",
            ),
        ),
        Need.IDENTITY: _identity,
        Need.BODY_SIZE: (
            Part(
                "frontend",
                "http-request deny deny_status 413 if { req.body_size gt <<body_bytes>> }",
                "Uploads may be as large as server.maxUploadSize, and no larger.",
            ),
        ),
        Need.IDLE_TIMEOUT: (
            Part(
                "defaults",
                "timeout tunnel <<idle_s>>s",
                "A quiet WebSocket outlives several pings.",
            ),
        ),
        Need.BUFFERING: (
            Part(
                "defaults",
                "no option http-buffer-request\noption http-no-delay",
                "Streams and uploads go on as they come.",
            ),
        ),
        Need.COMPRESSION: (
            Part(
                "backend",
                f"compression algo gzip\ncompression type {' '.join(COMPRESSED_TYPES)}",
                "A first visit loads 1 MB instead of 3. The app itself lets browsers keep its "
                "hashed files for a year; the page is neither compressed nor kept.",
            ),
        ),
        Need.AFFINITY: _affinity,
        Need.SELF_CHECK: _self_check,
        Need.METRICS: (
            Part(
                "frontend",
                "http-request deny deny_status 403 if { path <<base>>/_stcore/metrics }",
                "Metrics are for the people who run the app.",
            ),
        ),
    },
)
