"""The commands by name; each is imported when it is called."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import click

from stlaunch.quick_dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping


COMPLETION_VARIABLE = "_STLAUNCH_COMPLETE"
"""Set by the shells' completion scripts when they ask; see `stlaunch.cli.completion`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LazyCommand:
    """A command that is not imported before it is used."""

    where: str
    """`module:attribute` of a `click.Command`."""
    summary: str
    """One line for the list in `--help`."""

    def load(self) -> click.Command:
        """Import the command."""
        module, _, attribute = self.where.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.where} is not a click command")
        return command


COMMANDS: Mapping[str, LazyCommand] = {
    "run": LazyCommand(
        where="stlaunch.cli.run:run_command",
        summary="Run an app; the word run is optional.",
    ),
    "health": LazyCommand(
        where="stlaunch.cli.health:health",
        summary="Ask a running app whether it is ready.",
    ),
    "detect": LazyCommand(
        where="stlaunch.cli.detect:detect",
        summary="Detect the platform and the settings it implies.",
    ),
    "config": LazyCommand(
        where="stlaunch.cli.config:config",
        summary="Show every setting and where it comes from, or write config.toml.",
    ),
    "proxy": LazyCommand(
        where="stlaunch.cli.proxy:proxy",
        summary="Write the configuration of a reverse proxy.",
    ),
    "lint": LazyCommand(
        where="stlaunch.cli.lint:lint",
        summary="Find what breaks the app in a proxy configuration, and fix it.",
    ),
    "demo": LazyCommand(
        where="stlaunch.cli.demo:demo",
        summary="Try the example app behind a real proxy.",
    ),
    "check": LazyCommand(
        where="stlaunch.cli.check:check",
        summary="Check a deployed app and pinpoint the hop that breaks it.",
    ),
    "explain": LazyCommand(
        where="stlaunch.cli.explain:explain",
        summary="Explain a finding code, and how to fix it.",
    ),
    "guide": LazyCommand(
        where="stlaunch.cli.guide:guide",
        summary="Read the handbook: proxies, platforms, security and more.",
    ),
    "replicas": LazyCommand(
        where="stlaunch.cli.replicas:replicas",
        summary="Run several instances of an app behind a load balancer.",
    ),
    "deploy": LazyCommand(
        where="stlaunch.cli.deploy:deploy",
        summary="Write Dockerfile, Compose, Kubernetes or systemd files.",
    ),
    "completion": LazyCommand(
        where="stlaunch.cli.completion:completion",
        summary="Print the shell completion script.",
    ),
}
