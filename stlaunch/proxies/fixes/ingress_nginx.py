"""Annotations of ingress-nginx, which was retired in March 2026; the WebSocket it hands on."""

from __future__ import annotations

from stlaunch.proxies.fixes.model import Need, Part, Recipe

_PREFIX = "nginx.ingress.kubernetes.io"

RECIPE = Recipe(
    places={"annotations": "in the Ingress, in `metadata.annotations`"},
    reload="kubectl apply -f FILE",
    parts={
        Need.HOST: (
            Part(
                "annotations",
                f"# No {_PREFIX}/upstream-vhost.",
                "Streamlit compares Host with Origin; ingress-nginx keeps Host unless told "
                "otherwise.",
            ),
        ),
        Need.BODY_SIZE: (
            Part(
                "annotations",
                f'{_PREFIX}/proxy-body-size: "<<body_mb>>m"',
                "nginx refuses bodies above 1 MB unless told otherwise; this is "
                "server.maxUploadSize and the form around it.",
            ),
        ),
        Need.IDLE_TIMEOUT: (
            Part(
                "annotations",
                (
                    f'{_PREFIX}/proxy-read-timeout: "<<idle_s>>"\n'
                    f'{_PREFIX}/proxy-send-timeout: "<<idle_s>>"'
                ),
                "A quiet WebSocket outlives several pings.",
            ),
        ),
        Need.BUFFERING: (
            Part(
                "annotations",
                (f'{_PREFIX}/proxy-buffering: "off"\n{_PREFIX}/proxy-request-buffering: "off"'),
                "Streams and uploads go on as they come.",
            ),
        ),
        Need.AFFINITY: (
            Part(
                "annotations",
                (
                    f'{_PREFIX}/affinity: "cookie"\n'
                    f'{_PREFIX}/affinity-mode: "persistent"\n'
                    f'{_PREFIX}/session-cookie-name: "<<cookie>>"\n'
                    f'{_PREFIX}/session-cookie-path: "<<base_slash>>"\n'
                    f'{_PREFIX}/session-cookie-samesite: "Lax"'
                ),
                "Streamlit keeps sessions and uploads in one process; the cookie chooses the "
                "replica.",
            ),
        ),
    },
)
