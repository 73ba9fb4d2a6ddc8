"""Run several instances of one app, on Unix sockets behind a real load balancer."""

from __future__ import annotations

from stlaunch.replicas.supervisor import ReplicasPlan, Supervisor

__all__ = ["ReplicasPlan", "Supervisor"]
