"""Hosting platforms that run the app as a service."""

from __future__ import annotations

from stlaunch.platforms.model import Layer, Platform, Prefix, documented, read, recalled

_MEBIBYTE = 1024 * 1024
_RUN = "cloud.google.com/run container contract; knative/specs@22d54f84"
_GAE = "cloud.google.com/appengine standard runtime, environment variables"
_APP_SERVICE = "learn.microsoft.com app-service reference-app-settings, 2026-02"
_CONTAINER_APPS = "learn.microsoft.com container-apps environment variables"
_CONTAINER_APPS_EDGE = "microsoft/azure-container-apps#1416: its Envoy connects from 100.100.0.52"
_HEROKU = "devcenter.heroku.com changelog 293 (DYNO), http-routing"
_RENDER = "render.com/docs/environment-variables"
_RAILWAY = "railwayapp/docs@c2a634f1"
_RAILWAY_EDGE = "Crossbill-App/crossbill-web#450: logs name the edge 100.64.0.3"
_FLY = "superfly/docs@5c22c8ce"
_KOYEB = "koyeb.com/docs/build-and-deploy/environment-variables"
_SPACES = "huggingface/hub-docs@242f4a1e spaces"
_DOKKU = "dokku/dokku@33896f5d7"
_COOLIFY = "coollabsio/coolify@379abb2526"
_ANYWHERE = "pythonanywhere/help_pages@695aae3"
_DATABRICKS = "docs.databricks.com, Databricks Apps: system environment, HTTP headers"
_RUN_LOCAL = "databricks/cli@7bbe285213 libs/apps, run-local"
_DYNO = "devcenter.heroku.com changelog 293; dokku/dokku@33896f5d7, which sets it too"
# RFC 6598 is not part of `private`: only these platforms are known to keep their proxies there.
_PRIVATE_OR_SHARED = ("private", "100.64.0.0/10")

HOSTING = (
    Platform(
        name="databricks-apps",
        title="Databricks Apps",
        layer=Layer.HOSTING,
        signs=(documented("DATABRICKS_APP_NAME DATABRICKS_APP_PORT", _DATABRICKS),),
        port=documented("{DATABRICKS_APP_PORT}", _DATABRICKS),
        host=read("0.0.0.0", _RUN_LOCAL),
        public_url=read("{DATABRICKS_APP_URL}", _RUN_LOCAL),
        prefix=documented(Prefix.NONE, _DATABRICKS),
        identity_headers=documented(
            ("X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Preferred-Username"), _DATABRICKS
        ),
        switches_off=read(
            (
                "STREAMLIT_SERVER_ENABLE_CORS",
                "STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION",
            ),
            _RUN_LOCAL,
        ),
        websocket=recalled(True),
    ),
    Platform(
        name="snowflake-spcs",
        title="Snowpark Container Services",
        layer=Layer.HOSTING,
        signs=(read("SNOWFLAKE_HOST /snowflake/session/token", "public services that test both"),),
        prefix=documented(Prefix.NONE, "docs.snowflake.com service-network-communications"),
        websocket=documented(True, "docs.snowflake.com service-network-communications"),
        idle_s=documented(90, "docs.snowflake.com service-network-communications"),
        identity_headers=read(
            ("Sf-Context-Current-User", "Sf-Context-Current-User-Email"), "public services"
        ),
    ),
    Platform(
        name="huggingface",
        title="Hugging Face Space",
        layer=Layer.HOSTING,
        signs=(
            documented("SPACE_ID SPACE_HOST", _SPACES),
            read("SYSTEM=spaces", "gradio-app/gradio utils.py"),
        ),
        port=documented("7860", _SPACES),
        public_url=documented("https://{SPACE_HOST}", _SPACES),
        prefix=documented(Prefix.NONE, _SPACES),
        framed_by=documented("https://huggingface.co", _SPACES),
        websocket=recalled(True),
    ),
    Platform(
        name="cloud-run",
        title="Google Cloud Run",
        layer=Layer.HOSTING,
        signs=(read("K_SERVICE K_REVISION", _RUN),),
        port=documented("{PORT} or 8080", _RUN),
        host=documented("0.0.0.0", _RUN),
        prefix=read(Prefix.NONE, _RUN),
        websocket=documented(True, _RUN),
        body_bytes=recalled(32 * _MEBIBYTE),
        hint="A WebSocket is one long request: it ends with the request timeout, 5 minutes by "
        "default (at most 60). The page then reconnects.",
    ),
    Platform(
        name="app-engine",
        title="Google App Engine",
        layer=Layer.HOSTING,
        signs=(documented("GAE_INSTANCE GAE_VERSION", _GAE), documented("GAE_ENV", _GAE)),
        port=documented("{PORT}", _GAE),
        prefix=recalled(Prefix.NONE),
        hint="The standard environment is said to block WebSockets; the flexible one supports "
        "them.",
    ),
    Platform(
        name="azure-app-service",
        title="Azure App Service",
        layer=Layer.HOSTING,
        signs=(documented("WEBSITE_SITE_NAME WEBSITE_HOSTNAME", _APP_SERVICE),),
        port=documented("{SERVER_PORT} or {WEBSITES_PORT} or {PORT}", _APP_SERVICE),
        public_url=documented("https://{WEBSITE_HOSTNAME}", _APP_SERVICE),
        prefix=documented(Prefix.NONE, _APP_SERVICE),
        websocket=documented(True, _APP_SERVICE),
        idle_s=recalled(230),
        identity_headers=recalled(("X-MS-CLIENT-PRINCIPAL-NAME",)),
        hint="Enable WebSockets in the app's settings (Configuration, General settings).",
    ),
    Platform(
        name="azure-container-apps",
        title="Azure Container Apps",
        layer=Layer.HOSTING,
        signs=(documented("CONTAINER_APP_NAME CONTAINER_APP_ENV_DNS_SUFFIX", _CONTAINER_APPS),),
        port=documented("{CONTAINER_APP_PORT}", _CONTAINER_APPS),
        # Not CONTAINER_APP_HOSTNAME, which names one revision.
        public_url=documented(
            "https://{CONTAINER_APP_NAME}.{CONTAINER_APP_ENV_DNS_SUFFIX}", _CONTAINER_APPS
        ),
        prefix=documented(Prefix.NONE, _CONTAINER_APPS),
        peers=read(_PRIVATE_OR_SHARED, _CONTAINER_APPS_EDGE),
        websocket=documented(True, _CONTAINER_APPS),
        idle_s=documented(240, _CONTAINER_APPS),
    ),
    Platform(
        name="render",
        title="Render",
        layer=Layer.HOSTING,
        signs=(documented("RENDER=true", _RENDER),),
        port=documented("{PORT} or 10000", _RENDER),
        host=documented("0.0.0.0", _RENDER),
        public_url=documented("{RENDER_EXTERNAL_URL}", _RENDER),
        prefix=documented(Prefix.NONE, _RENDER),
        websocket=documented(True, _RENDER),
    ),
    Platform(
        name="railway",
        title="Railway",
        layer=Layer.HOSTING,
        signs=(documented("RAILWAY_PROJECT_ID", _RAILWAY),),
        port=documented("{PORT}", _RAILWAY),
        host=documented("0.0.0.0", _RAILWAY),
        public_url=documented("https://{RAILWAY_PUBLIC_DOMAIN}", _RAILWAY),
        prefix=documented(Prefix.NONE, _RAILWAY),
        peers=read(_PRIVATE_OR_SHARED, _RAILWAY_EDGE),
        websocket=documented(True, _RAILWAY),
    ),
    Platform(
        name="fly",
        title="Fly.io",
        layer=Layer.HOSTING,
        signs=(
            documented("FLY_APP_NAME FLY_MACHINE_ID", _FLY),
            documented("FLY_APP_NAME FLY_ALLOC_ID", _FLY),
        ),
        port=documented("8080", f"{_FLY}: the usual internal_port"),
        public_url=read("https://{FLY_APP_NAME}.fly.dev", "public code that derives the address"),
        prefix=documented(Prefix.NONE, _FLY),
        websocket=recalled(True),
        idle_s=recalled(60),
        hint="X-Forwarded-For ends with the app's own address, X-Forwarded-Port is the client's.",
    ),
    Platform(
        name="koyeb",
        title="Koyeb",
        layer=Layer.HOSTING,
        signs=(read("KOYEB_PUBLIC_DOMAIN", "public code that derives the address"),),
        port=documented("{PORT}", _KOYEB),
        public_url=read("https://{KOYEB_PUBLIC_DOMAIN}", "public code that derives the address"),
        prefix=documented(Prefix.EITHER, "koyeb.com/docs: a service may have a route of its own"),
        websocket=recalled(True),
    ),
    Platform(
        name="heroku",
        title="Heroku",
        layer=Layer.HOSTING,
        signs=(
            documented("DYNO HEROKU_APP_NAME", "devcenter.heroku.com dyno-metadata"),
            documented("DYNO HEROKU_APP_ID", "devcenter.heroku.com dyno-metadata"),
        ),
        port=documented("{PORT}", _HEROKU),
        host=documented("0.0.0.0", _HEROKU),
        public_url=documented(
            "https://{HEROKU_APP_DEFAULT_DOMAIN_NAME}", "devcenter.heroku.com dyno-metadata"
        ),
        prefix=documented(Prefix.NONE, _HEROKU),
        websocket=documented(True, _HEROKU),
        idle_s=documented(55, _HEROKU),
    ),
    Platform(
        name="heroku-or-dokku",
        title="Heroku or Dokku",
        layer=Layer.HOSTING,
        signs=(documented("DYNO PORT !HEROKU_APP_NAME !HEROKU_APP_ID", _DYNO),),
        port=documented("{PORT}", f"{_HEROKU}; {_DOKKU}"),
        host=documented("0.0.0.0", f"{_HEROKU}; {_DOKKU}"),
        prefix=documented(Prefix.NONE, f"{_HEROKU}; {_DOKKU}"),
        websocket=documented(True, f"{_HEROKU}; {_DOKKU}"),
        idle_s=documented(55, _HEROKU),
        hint="DYNO is set by both. Dokku's nginx accepts bodies up to 1 MB by default.",
    ),
    Platform(
        name="coolify",
        title="Coolify",
        layer=Layer.HOSTING,
        signs=(read("COOLIFY_RESOURCE_UUID", _COOLIFY), read("COOLIFY_CONTAINER_NAME", _COOLIFY)),
        port=read("{PORT}", _COOLIFY),
        host=read("0.0.0.0", _COOLIFY),
        # The two are swapped for compose files of an older version; the address has a scheme.
        public_url=read("{COOLIFY_URL} or {COOLIFY_FQDN}", _COOLIFY),
        prefix=read(Prefix.STRIPPED, _COOLIFY),
        peers=read(("private",), _COOLIFY),
        prefix_headers=read(("X-Forwarded-Prefix",), "traefik/traefik@fd5a576df2"),
        websocket=read(True, "traefik/traefik@fd5a576df2"),
    ),
    Platform(
        name="aws-ecs",
        title="AWS ECS or Fargate",
        layer=Layer.HOSTING,
        signs=(
            read("ECS_CONTAINER_METADATA_URI", "microsoft/container-detect"),
            read("ECS_CONTAINER_METADATA_URI_V4", "public code that asks it"),
        ),
        idle_s=documented(60, "AWS ELB guide@01a945e: the usual limit of a load balancer"),
        websocket=documented(True, "AWS ELB guide@01a945e"),
        hint="An Application Load Balancer keeps the path, and sends no X-Forwarded-Host.",
    ),
    Platform(
        name="streamlit-cloud",
        title="Streamlit Community Cloud",
        layer=Layer.HOSTING,
        signs=(read("/mount/src /home/adminuser/venv", "public code that tests the folders"),),
        port=recalled("8501"),
        prefix=recalled(Prefix.NONE),
        websocket=read(True, "streamlit 1.67 starlette_server_config.py"),
        hint="Its proxy drops cookies that it does not know, also the origin proof's.",
    ),
    Platform(
        name="pythonanywhere",
        title="PythonAnywhere",
        layer=Layer.HOSTING,
        signs=(documented("DOMAIN_SOCKET", _ANYWHERE),),
        uds=documented("{DOMAIN_SOCKET}", _ANYWHERE),
        prefix=recalled(Prefix.NONE),
        hint="Its proxy connects to the Unix socket that DOMAIN_SOCKET names.",
    ),
    Platform(
        name="vercel",
        title="Vercel",
        layer=Layer.HOSTING,
        signs=(recalled("VERCEL=1"),),
        websocket=documented(True, "vercel.com/docs/functions/websockets, 2026-07"),
        public_url=recalled("https://{VERCEL_URL}"),
    ),
)
