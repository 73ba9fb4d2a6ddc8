"""Run an unmodified Streamlit app behind any reverse proxy, with every protection left on."""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's, whose import would cost `stlaunch health` a third of its time
if TYPE_CHECKING:
    from stlaunch.api import launch
    from stlaunch.gateway.compose import wrap_app

__version__ = "0.1.0"
__all__ = ["__version__", "launch", "wrap_app"]


def __getattr__(name: str) -> object:
    # Late, so that `stlaunch --help` and `stlaunch health` load neither Streamlit nor a server.
    if name == "wrap_app":
        from stlaunch.gateway.compose import wrap_app  # noqa: PLC0415

        return wrap_app
    if name == "launch":
        from stlaunch.api import launch  # noqa: PLC0415

        return launch
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
