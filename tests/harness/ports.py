"""Ports for programs that can neither be handed a socket nor report the port they chose.

Everything else binds port 0 and is asked. Whoever uses `free_port` tries again when the program
says that the port was taken after all.
"""

from __future__ import annotations

from stlaunch.proxies.ports import ReservedPort, free_port

__all__ = ["ReservedPort", "free_port"]
