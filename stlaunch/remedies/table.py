"""From a need and a product to the lines; nginx first, because most people have it."""

from __future__ import annotations

from stlaunch.remedies.model import Need, Product, Remedy, Site


def remedy(need: Need, product: Product, site: Site) -> Remedy | None:
    """Return the lines; None where the product has the need covered by itself or cannot."""
    known = _TABLE.get(product, {}).get(need)
    if known is None:
        return None
    lines, where, why = known
    values = {
        "base": site.base_path.value,
        "base_slash": site.base_path.with_slash,
        "upstream": site.upstream,
        "body_mb": site.max_upload_mb + 1,
        "idle_s": max(60, 4 * site.ping_interval_s),
    }
    return Remedy(
        lines=lines.format_map(values),
        where=where.format_map(values),
        reload=_RELOAD.get(product, ""),
        why=why,
    )


_RELOAD = {Product.NGINX: "nginx -t && nginx -s reload"}

_NGINX_PLACE = "in nginx, inside `location {base_slash} {{ }}`"
_TABLE: dict[Product, dict[Need, tuple[str, str, str]]] = {
    Product.NGINX: {
        Need.UPGRADE: (
            (
                "proxy_http_version 1.1;\n"
                "proxy_set_header Upgrade $http_upgrade;\n"
                'proxy_set_header Connection "upgrade";'
            ),
            _NGINX_PLACE,
            "nginx drops the hop-by-hop headers of a WebSocket handshake unless told otherwise.",
        ),
        Need.HOST: (
            "proxy_set_header Host $http_host;",
            _NGINX_PLACE,
            "nginx sends the upstream's address as Host; Streamlit compares it with Origin.",
        ),
        Need.BODY_SIZE: (
            "client_max_body_size {body_mb}m;",
            _NGINX_PLACE,
            "nginx refuses request bodies above 1 MB unless told otherwise.",
        ),
    },
}
