"""The table's rows, as issue 9 has them: what is measured, against what, and what it may cost."""

from __future__ import annotations

from tests.benchmarks import commands, latency, memory, pages, startup, throughput
from tests.benchmarks.table import Row

BARE = "`streamlit run`"
NGINX = "`streamlit run` through nginx"
JUPYTER = "jupyter-server-proxy in front of `streamlit run`"
CLICK = '`python -c "import click"`'

_FIFTY = "50 sessions, 10 reruns a second"
_USUAL = {50: "a click", 99: "the slowest click of a hundred"}
_ALONE = {1: "", 50: " while many people use it"}

ROWS: tuple[Row, ...] = (
    Row(
        name="start-health",
        what="process start to the first 200 on health",
        against=BARE,
        means="How soon an app answers after a restart, a deploy or a crash.",
        limit=0.95,
        goal=0.85,
        measure=startup.measure_health,
    ),
    Row(
        name="start-no-route",
        what="the same with no route to the internet",
        against=BARE,
        means="The same in a closed network, such as a company's.",
        limit=0.90,
        measure=startup.measure_without_route,
    ),
    Row(
        name="start-script",
        what='process start to "script finished"',
        against=BARE,
        means="How soon the first visitor sees the app after a restart.",
        limit=0.90,
        measure=startup.measure_script,
    ),
    Row(
        name="memory-ready",
        what="memory at ready",
        against=BARE,
        means="What one more app costs on the same machine.",
        limit=3,
        unit="MB",
        measure=memory.measure_processes,
    ),
    Row(
        name="memory-sessions",
        what="memory after 50 sessions came and went",
        against=BARE,
        means="Whether an app grows as visitors come and go.",
        limit=5,
        unit="MB",
        measure=memory.measure_processes,
    ),
    *(
        Row(
            name=f"rerun-{sessions}-p{percent}",
            what=f"rerun latency p{percent}, {'1 session' if sessions == 1 else _FIFTY}",
            against=BARE,
            means=f"How soon the app reacts to {_USUAL[percent]}{_ALONE[sessions]}.",
            limit=limit,
            may_be_noise=True,
            measure=latency.measure_rerun,
        )
        for sessions in (1, 50)
        for percent, limit in ((50, 1.02), (99, 1.10))
    ),
    Row(
        name="rerun-pandas",
        what="rerun latency p50 of an app with pandas and Altair",
        against=BARE,
        means="How soon a chart follows a click.",
        limit=0.25,
        measure=latency.measure_pandas,
    ),
    Row(
        name="rerun-rate",
        what="reruns a second of 50 sessions without a pause",
        against=BARE,
        means="How many people can work at once before they wait for each other.",
        limit=0.98,
        is_floor=True,
        may_be_noise=True,
        measure=latency.measure_rerun,
    ),
    *(
        Row(
            name=f"websocket-{name}",
            what=f"WebSocket throughput, {size} messages",
            against=BARE,
            means=f"How soon {shown} the page.",
            limit=0.98,
            is_floor=True,
            may_be_noise=True,
            measure=throughput.measure_websocket,
        )
        for name, size, shown in (
            ("1k", "1 KB", "many small elements reach"),
            ("1m", "1 MB", "a large table reaches"),
        )
    ),
    Row(
        name="page",
        what="cold page load in Chromium",
        against=BARE,
        means="How soon somebody on the same machine sees the app.",
        limit=0.95,
        may_be_noise=True,
        measure=pages.measure_page,
    ),
    Row(
        name="page-slow",
        what="the same over 20 Mbit/s with 60 ms",
        against=BARE,
        means="How soon somebody at home sees the app for the first time.",
        limit=0.78,
        goal=0.65,
        measure=pages.measure_slow_page,
    ),
    Row(
        name="page-slow-tls",
        what="the same through nginx with TLS and HTTP/2",
        against=NGINX,
        means="The same where a proxy speaks https, as most do.",
        limit=0.68,
        goal=0.55,
        measure=pages.measure_slow_page,
    ),
    Row(
        name="page-slow-fallback",
        what="cold page over the fallback, over 20 Mbit/s with 60 ms",
        against="the WebSocket through nginx",
        means="How soon somebody at home sees the app where a proxy lets no WebSocket through.",
        limit=1.3,
        measure=pages.measure_slow_fallback,
    ),
    Row(
        name="click-slow-fallback",
        what="a click to what it shows, likewise",
        against="the WebSocket through nginx",
        means="What that person waits for after each click: one round trip more.",
        limit=1.5,
        measure=pages.measure_slow_fallback,
    ),
    *(
        Row(
            name=name,
            what=f"a click in Chromium to what it shows{through}",
            against=against,
            means=f"What somebody waits for after each click{through}.",
            limit=1.02,
            may_be_noise=True,
            measure=pages.measure_click,
        )
        for name, through, against in (
            ("click", "", BARE),
            ("click-nginx", ", through nginx", NGINX),
        )
    ),
    Row(
        name="asset",
        what="requests/s on one asset, as a browser asks",
        against=BARE,
        means="How much work the app's own scripts make for its server.",
        limit=0.95,
        is_floor=True,
        measure=throughput.measure_asset,
    ),
    Row(
        name="asset-identity",
        what="the same, uncompressed",
        against=BARE,
        means="The same for a client that takes nothing compressed.",
        limit=0.95,
        is_floor=True,
        may_be_noise=True,
        measure=throughput.measure_asset,
    ),
    Row(
        name="rerun-nginx",
        what="rerun latency p50 through nginx",
        against=NGINX,
        means="How soon an app behind a proxy reacts to a click.",
        limit=1.03,
        may_be_noise=True,
        measure=latency.measure_nginx,
    ),
    Row(
        name="page-nginx",
        what="cold page load through nginx",
        against=NGINX,
        means="How soon somebody sees the app through a proxy nearby.",
        limit=1.03,
        may_be_noise=True,
        measure=pages.measure_page,
    ),
    Row(
        name="asset-nginx",
        what="requests/s on one asset through nginx",
        against=NGINX,
        means="How many visitors can load the app at once through a proxy.",
        limit=0.95,
        is_floor=True,
        measure=throughput.measure_asset,
    ),
    Row(
        name="jupyter-rerun",
        what="rerun latency p50",
        against=JUPYTER,
        means="How soon an app in JupyterHub reacts to a click.",
        limit=1.00,
        measure=latency.measure_jupyter,
    ),
    Row(
        name="jupyter-memory",
        what="memory",
        against=JUPYTER,
        means="What an app in JupyterHub costs.",
        limit=0,
        unit="MB",
        measure=latency.measure_jupyter,
    ),
    Row(
        name="fallback",
        what="rerun latency p50 over the fallback, through nginx",
        against="the WebSocket through nginx",
        means="What a click costs where a proxy lets no WebSocket through.",
        limit=2.0,
        goal=1.3,
        measure=latency.measure_fallback,
    ),
    Row(
        name="cmd-health",
        what="`stlaunch health`",
        against="`python -c pass`",
        means="What a container's health check costs each time.",
        limit=3.0,
        measure=commands.measure_commands,
    ),
    *(
        Row(
            name=name,
            what=f"`stlaunch {words}`",
            against=CLICK,
            means="How soon the command answers.",
            limit=limit,
            measure=commands.measure_commands,
        )
        for name, words, limit in (
            ("cmd-help", "--help", 2.0),
            ("cmd-detect", "detect", 2.0),
            ("cmd-proxy", "proxy nginx", 3.0),
        )
    ),
    Row(
        name="check",
        what="`stlaunch check` on a healthy app",
        against="absolute",
        means="How long a check of a deployed app takes.",
        limit=1.5,
        unit="s",
        measure=commands.measure_commands,
    ),
    Row(
        name="idle-memory",
        what="memory of one more idle session, five steps to 1000 sessions",
        against=BARE,
        means="What an open tab costs that nobody uses.",
        limit=0.70,
        measure=memory.measure_idle,
    ),
    *(
        Row(
            name=f"idle-cpu-{sessions}",
            what=f"processor time of {sessions} idle sessions",
            against=BARE,
            means=f"What {sessions} open tabs cost while nobody does anything.",
            limit=0.70,
            may_be_noise=True,
            measure=memory.measure_idle,
        )
        for sessions in memory.LEVELS
    ),
)
