"""systemd: one service, or a template with a target for several; hardened, with sockets."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from stlaunch.deploy.closed_folder import closed_hint
from stlaunch.deploy.model import COOKIE_SECRET, GeneratedFile
from stlaunch.proxies.nginx import to_socket

if TYPE_CHECKING:
    from stlaunch.deploy.model import Deployment


def render_systemd(deployment: Deployment) -> tuple[GeneratedFile, ...]:
    """Return the service, the template and its target; they go to /etc/systemd/system."""
    name = deployment.name
    return (
        GeneratedFile(name=f"{name}.service", text=_single(deployment)),
        GeneratedFile(name=f"{name}@.service", text=_template(deployment)),
        GeneratedFile(name=f"{name}.target", text=_target(deployment)),
    )


def _single(deployment: Deployment) -> str:
    name = deployment.name
    return f"""# {name}.service: the app on /run/{name}/app.sock.
#     systemctl daemon-reload && systemctl enable --now {name}.service
# Its proxy (nginx: {to_socket(f"/run/{name}/app.sock")}) has to be in the Group below.
[Unit]
Description={name} (Streamlit app)
After=network.target

{_service(deployment, run=name)}
[Install]
WantedBy=multi-user.target
"""


def _template(deployment: Deployment) -> str:
    name = deployment.name
    return f"""# {name}@.service: one of several instances, on /run/{name}-1/app.sock and so on.
# Start all of them with {name}.target; one balancer with session affinity in front of them.
# Once, one secret for all instances:
#     install -d -m 700 /etc/{name}
#     (umask 077; echo "{COOKIE_SECRET}=$(openssl rand -hex 32)" > /etc/{name}/secret.env)
[Unit]
Description={name} %i (Streamlit app)
After=network.target
PartOf={name}.target

{_service(deployment, run=f"{name}-%i", secret=f"/etc/{name}/secret.env")}
[Install]
WantedBy={name}.target
"""


def _target(deployment: Deployment) -> str:
    name = deployment.name
    wants = " ".join(f"{name}@{number}.service" for number in range(1, deployment.replicas + 1))
    return f"""# {name}.target: all instances.
#     systemctl daemon-reload && systemctl enable --now {name}.target
# Roll them, one after the other; a restart comes back when the old one has drained:
#     for i in $(seq {deployment.replicas}); do
#         systemctl restart {name}@$i.service
#         until curl -sf --unix-socket /run/{name}-$i/app.sock http://app/_stlaunch/ready
#         do sleep 1; done
#     done
[Unit]
Description={name}, all instances
Wants={wants}

[Install]
WantedBy=multi-user.target
"""


def _service(deployment: Deployment, *, run: str, secret: str = "") -> str:
    words = [
        deployment.program,
        f"{deployment.folder}/{deployment.script}",
        *deployment.behind_proxy,
        "--uds",
        f"/run/{run}/app.sock",
        "--trusted-proxies",
        ",".join(dict.fromkeys(("unix", *deployment.trusted))),
    ]
    environment_file = f"EnvironmentFile={secret}\n" if secret else ""
    return f"""[Service]
Type=exec
ExecStart={" ".join(map(_quoted, words))}
WorkingDirectory={deployment.folder}
{environment_file}Environment=PYTHONUNBUFFERED=1 HOME=/var/lib/{run} XDG_STATE_HOME=/var/lib/{run}
# The socket is /run/{run}/app.sock, for this group alone.
{_closed(deployment)}DynamicUser=yes
Group=www-data
UMask=0007
RuntimeDirectory={run}
RuntimeDirectoryMode=0750
StateDirectory={run}
StateDirectoryMode=0700

# A stop drains: running scripts finish, pages connect to another instance.
KillMode=mixed
KillSignal=SIGTERM
TimeoutStopSec={deployment.stop_s}
Restart=on-failure
RestartSec=2
# 2: the command line is wrong; it is as wrong in two seconds.
RestartPreventExitStatus=2

{_HARDENING}"""


def _closed(deployment: Deployment) -> str:
    hint = closed_hint(deployment.closed_folder)
    return textwrap.indent(textwrap.fill(hint, 96), "# ") + "\n" if hint else ""


def _quoted(word: str) -> str:
    # The facts refuse every other character that is special to systemd: % $ \\ and quotes.
    return f'"{word}"' if " " in word else word


# No MemoryDenyWriteExecute: numba, Julia and other compilers at run time need such memory.
_HARDENING = """NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=read-only
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
"""
