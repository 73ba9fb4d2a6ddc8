"""Reverse proxies that leave marks in the app's environment, orchestrators, and containers."""

from __future__ import annotations

from stlaunch.platforms.model import Layer, Platform, Prefix, documented, read, tried

_MEBIBYTE = 1024 * 1024
_NGINX_PROXY = "nginx-proxy/nginx-proxy@584073d"
_SUPERVISOR = "home-assistant/supervisor@090ef31ec; developers.home-assistant.io presentation"
_DETECT = "microsoft/container-detect"

INGRESS = (
    Platform(
        name="home-assistant",
        title="Home Assistant ingress",
        layer=Layer.INGRESS,
        signs=(documented("SUPERVISOR_TOKEN", _SUPERVISOR),),
        port=documented("8099", _SUPERVISOR),
        host=documented("0.0.0.0", _SUPERVISOR),
        prefix=read(Prefix.STRIPPED, _SUPERVISOR),
        peers=documented(("loopback", "172.30.32.2"), _SUPERVISOR),
        prefix_headers=read(("X-Ingress-Path",), _SUPERVISOR),
        websocket=read(True, _SUPERVISOR),
        message_bytes=read(16 * _MEBIBYTE, _SUPERVISOR),
        identity_headers=read(
            ("X-Remote-User-Id", "X-Remote-User-Name", "X-Remote-User-Display-Name"), _SUPERVISOR
        ),
        hint="X-Ingress-Path holds each request's path, /api/hassio_ingress/TOKEN.",
    ),
    Platform(
        name="nginx-proxy",
        title="nginx-proxy",
        layer=Layer.INGRESS,
        signs=(read("VIRTUAL_HOST", _NGINX_PROXY),),
        port=read("{VIRTUAL_PORT}", _NGINX_PROXY),
        public_url=read("https://{LETSENCRYPT_HOST}", _NGINX_PROXY),
        base_path=read("{VIRTUAL_PATH?/}", _NGINX_PROXY),
        prefix=read(Prefix.EITHER, _NGINX_PROXY),
        peers=read(("private",), _NGINX_PROXY),
        websocket=read(True, _NGINX_PROXY),
        idle_s=read(60, _NGINX_PROXY),
        body_bytes=read(_MEBIBYTE, _NGINX_PROXY),
        hint="It strips VIRTUAL_PATH where VIRTUAL_DEST is set, and forwards the forwarding "
        "headers that a client sends (TRUST_DOWNSTREAM_PROXY=false stops that).",
    ),
    Platform(
        name="kubernetes",
        title="Kubernetes",
        layer=Layer.ORCHESTRATOR,
        signs=(read("KUBERNETES_SERVICE_HOST", _DETECT),),
        host=read("0.0.0.0", "kubernetes/ingress-nginx@dbb11b92d: it connects to the pod"),
        prefix=read(Prefix.EITHER, "kubernetes/ingress-nginx@dbb11b92d: an annotation decides"),
        peers=read(("private",), "kubernetes/ingress-nginx@dbb11b92d"),
    ),
    Platform(
        name="docker",
        title="Docker container",
        layer=Layer.CONTAINER,
        signs=(tried("/.dockerenv", "seen in a container of Docker"),),
        host=tried("0.0.0.0", "a published port reaches no loopback listener"),
        peers=tried(("private",), "the bridge's addresses are private"),
    ),
    Platform(
        name="podman",
        title="Podman container",
        layer=Layer.CONTAINER,
        signs=(read("/run/.containerenv", _DETECT),),
        host=read("0.0.0.0", _DETECT),
        peers=read(("private",), _DETECT),
    ),
    Platform(
        name="container",
        title="Container",
        layer=Layer.CONTAINER,
        signs=(read("container", f"{_DETECT}; systemd.io/CONTAINER_INTERFACE"),),
        host=read("0.0.0.0", _DETECT),
        peers=read(("private",), _DETECT),
    ),
)
