"""A proxy's own validator, asked as its recipe says, in a private folder and without privileges.

Owns what that takes around the recipe's command. It must not know what a configuration is for.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from stlaunch.proxies.fixes import recipe
from stlaunch.proxies.needs import Product
from stlaunch.proxies.plans import (
    CERTIFICATE_AND_KEY_FILE,
    CERTIFICATE_FILE,
    KEY_FILE,
    ProxyPlan,
    TlsFiles,
)

_APACHE = ("-t", "-f", "{config}", "-d", "{folder}")
"""What `apachectl configtest` runs, which knows Debian's own folder alone."""
_MORE = {
    Product.NGINX: ("-p", ".", "-e", "stderr", "-c", "{config}"),
    Product.CADDY: ("--adapter", "caddyfile"),
    Product.VARNISH: ("-j", "none", "-n", "{folder}/work"),
}


def validate(product: Product, binary: Path, plan: ProxyPlan, tls: TlsFiles, folder: Path) -> None:
    """Have the product check a configuration; one that has no such command is only started.

    Raises:
        AssertionError: with what the proxy said.
    """
    command = recipe(product).validate
    if not command:
        return
    config = folder / plan.config_name
    config.write_text(plan.config_text)
    certificate, key = tls.certificate.read_bytes(), tls.key.read_bytes()
    (folder / CERTIFICATE_FILE).write_bytes(certificate)
    (folder / KEY_FILE).write_bytes(key)
    (folder / CERTIFICATE_AND_KEY_FILE).write_bytes(certificate + key)
    words = [*command.split()[1:], *_MORE.get(product, ())]
    if product is Product.APACHE:
        words = list(_APACHE)
    elif product is Product.NGINX and not re.search(r"(?m)(^|;)\s*pid\s", plan.config_text):
        words += ["-g", "pid nginx.pid;"]
    filled = [
        str(config) if word.startswith("/etc/") else word.format(config=config, folder=folder)
        for word in words
    ]
    done = subprocess.run(
        [str(binary), *filled],
        cwd=folder,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin:/usr/sbin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{filled}\n{done.stdout}{done.stderr}\n{plan.config_text}"
