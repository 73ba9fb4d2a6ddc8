"""How `stlaunch replicas` handles its arguments and its secret; nothing is started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest

from stlaunch.cli.arguments import split_arguments
from stlaunch.cli.replicas import instance_words
from stlaunch.forwarded import TrustedProxies
from stlaunch.proxies.haproxy.balancer import BalancerSite, render_balancer
from stlaunch.proxies.needs import Product
from stlaunch.proxies.starting import find_binary
from stlaunch.urls.origin import HostPort


def run_replicas(*words: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: text for name, text in os.environ.items() if not name.startswith("STLAUNCH_")}
    return subprocess.run(
        [sys.executable, "-m", "stlaunch", "replicas", *words],
        cwd=cwd,
        env=clean | {"HOME": str(cwd)} | environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text("import streamlit as st\n")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "trusted", "words"),
    [
        pytest.param("app.py", "none", "app.py --trusted-proxies unix", id="plain"),
        pytest.param(
            "app.py --port 80 --host=:: --behind-proxy /a",
            "loopback, unix",
            "app.py --behind-proxy=/a --trusted-proxies unix,loopback",
            id="address",
        ),
        pytest.param(
            "--trusted-proxies 10.0.0.1 app.py --theme.base dark -- --port 1",
            "10.0.0.1",
            "app.py --theme.base=dark --trusted-proxies unix,10.0.0.1 -- --port 1",
            id="script-arguments",
        ),
    ],
)
def test_instance_gets_all_but_the_address(line: str, trusted: str, words: str) -> None:
    given = split_arguments(line.split(), exists=lambda _word: False)

    assert instance_words(given, trusted) == words.split()


@pytest.mark.parametrize(
    ("words", "expected", "hint"),
    [
        pytest.param(
            ["app.py"], "replicas must be 1 to 64, not 'app.py'", "replicas 4 app.py", id="order"
        ),
        pytest.param(["0", "app.py"], "replicas must be 1 to 64, not '0'", "replicas 4", id="none"),
        pytest.param(
            ["65", "app.py"], "replicas must be 1 to 64, not '65'", "replicas 4", id="many"
        ),
        pytest.param(["2", "nope.py"], "'nope.py' does not exist", "", id="app"),
        pytest.param(["2", "app.py", "--uds", "x.sock"], "--uds: replicas", "--port", id="uds"),
        pytest.param(
            ["2", "app.py", "--server.sslCertFile", "c.pem", "--server.sslKeyFile", "k.pem"],
            "server.sslCertFile (--server.sslCertFile)",
            "proxy in front",
            id="tls",
        ),
    ],
)
def test_bad_arguments_are_reported(
    folder: Path, words: list[str], expected: str, hint: str
) -> None:
    done = run_replicas(*words, cwd=folder)
    first, second, *_ = done.stderr.splitlines()

    assert (done.returncode, done.stdout) == (2, "")
    assert expected in first
    assert hint in second


def test_dry_run_shows_what_would_be_started(folder: Path) -> None:
    done = run_replicas("3", "app.py", "--port", "8600", "--dry-run", "--json", cwd=folder)

    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["schema"] == "stlaunch.replicas/1"
    assert (document["replicas"], document["listen"]["port"]) == (3, 8600)
    assert document["instance"]["schema"] == "stlaunch.plan/1"


@pytest.mark.parametrize("host", ["127.0.0.1", "::", "0.0.0.0", "localhost"])
@pytest.mark.parametrize("trusted", ["none", "10.0.0.0/8, ::1"])
def test_haproxy_takes_the_configuration(tmp_path: Path, host: str, trusted: str) -> None:
    site = BalancerSite(
        listen=HostPort(host, 8600),
        sockets=[tmp_path / "1.sock", tmp_path / "2.sock"],
        stats=tmp_path / "stats.sock",
        trusted=TrustedProxies.parse([trusted]),
        identity_headers=["X-User"],
        app="/srv/app.py",
    )
    config = tmp_path / "haproxy.cfg"
    config.write_text(render_balancer(site))
    command = [find_binary(Product.HAPROXY), "-c", "-f", config]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    for network in TrustedProxies.parse([trusted]).networks:
        assert str(ip_network(network)) in config.read_text()
