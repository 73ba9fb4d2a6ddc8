"""Run an unmodified Streamlit app behind any reverse proxy, with every protection left on."""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's, whose import would cost `stlaunch health` a third of its time
if TYPE_CHECKING:
    from stlaunch.api import launch, wrap_app

__version__ = "0.1.0"
__all__ = ["__version__", "launch", "wrap_app"]


def __getattr__(name: str) -> object:
    # Late, so that `stlaunch --help` and `stlaunch health` load neither Streamlit nor a server.
    if name in __all__:
        from stlaunch import api  # noqa: PLC0415

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
