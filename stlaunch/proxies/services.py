"""Signs of networks, platforms and gateways in front of an app that have no file here.

Also those of the app's own server, which must not be taken for a proxy's.
"""

from __future__ import annotations

from stlaunch.proxies.signs import VERSION, Side, Sign, cookie, sent, server, via

OUTER: tuple[Sign, ...] = (
    sent("x-amz-cf-id", name="Amazon CloudFront", side=Side.BOTH),
    sent("x-azure-ref", name="Azure Front Door", side=Side.BOTH),
    server(r"AkamaiGHost", "Akamai"),
    Sign(header="x-served-by", pattern=server(r"cache-").pattern, name="Fastly", side=Side.ANSWER),
    server(r"Google Frontend", "Google Cloud"),
    via(r"1\.1 google", "Google Cloud load balancer"),
    sent("x-cloud-trace-context", name="Google front end"),
    sent("x-appengine-country", name="Google App Engine"),
    sent("x-vercel-id", name="Vercel", side=Side.BOTH),
    sent("fly-request-id", name="Fly.io", side=Side.ANSWER),
    sent("fly-client-ip", name="Fly.io"),
    via(r"vegur|heroku", "Heroku"),
    sent("x-railway-edge", name="Railway"),
    sent("do-connecting-ip", name="DigitalOcean"),
)
"""Content networks and the front ends of platforms."""

INNER: tuple[Sign, ...] = (
    cookie(r"^ARRAffinity", "Azure App Service"),
    sent("x-squid-error", name="Squid", side=Side.ANSWER),
    via(rf"\(squid{VERSION}\)", "Squid"),
    sent("tailscale-headers-info", name="Tailscale Serve"),
    sent("x-auth-request-user", name="oauth2-proxy"),
    sent("x-forwarded-access-token", name="oauth2-proxy"),
    sent("x-ingress-path", name="Home Assistant"),
    sent("x-proxycontextpath", name="jupyter-server-proxy"),
    sent("rstudio-connect-app-base-url", name="Posit Connect"),
    sent("x-sp-userid", name="ShinyProxy"),
)
"""What runs on the way to the app, or starts it."""

APP: tuple[Sign, ...] = (
    server(r"uvicorn", "Streamlit's own server (uvicorn)"),
    server(rf"TornadoServer{VERSION}", "Streamlit's own server (Tornado)"),
)
"""The app itself."""
