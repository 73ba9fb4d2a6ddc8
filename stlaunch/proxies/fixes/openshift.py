"""Annotations of an OpenShift route; its HAProxy hands the WebSocket, Host and scheme on."""

from __future__ import annotations

from stlaunch.proxies.fixes.model import Need, Part, Recipe, Site


def _strip(site: Site) -> tuple[Part, ...]:
    if site.keep_prefix:
        return ()
    line = 'haproxy.router.openshift.io/rewrite-target: "/"'
    return (Part("annotations", line, "The router strips the path."),)


RECIPE = Recipe(
    places={"annotations": "in the Route, in `metadata.annotations`"},
    reload="oc apply -f FILE",
    parts={
        Need.ROUTE: _strip,
        Need.CLIENT: (
            Part(
                "annotations",
                'haproxy.router.openshift.io/set-forwarded-headers: "replace"',
                "What the client claims about its address and host is overwritten.",
            ),
        ),
        Need.IDLE_TIMEOUT: (
            Part(
                "annotations",
                (
                    'haproxy.router.openshift.io/timeout: "<<idle_s>>s"\n'
                    'haproxy.router.openshift.io/timeout-tunnel: "<<idle_s>>s"'
                ),
                "The router cuts after 30 s unless told otherwise; a quiet WebSocket outlives "
                "several pings.",
            ),
        ),
        Need.AFFINITY: (
            Part(
                "annotations",
                (
                    'haproxy.router.openshift.io/balance: "roundrobin"\n'
                    'haproxy.router.openshift.io/disable_cookies: "false"\n'
                    'router.openshift.io/cookie_name: "<<cookie>>"'
                ),
                "Streamlit keeps sessions and uploads in one process; the router's cookie chooses "
                "the replica.",
            ),
        ),
    },
)
