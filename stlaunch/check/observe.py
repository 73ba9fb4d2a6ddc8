"""Run the probes in the order of their dependencies, and collect what they see.

It evaluates nothing; what did not run is named with its reason.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from http import HTTPStatus
from typing import TypeAlias

import anyio

from stlaunch.check import pages
from stlaunch.check.client import Client
from stlaunch.check.dialer import Dialer, make_context
from stlaunch.check.gathered import Gathered
from stlaunch.check.observations import Exchange, Failure, Observations
from stlaunch.check.options import CheckOptions
from stlaunch.check.probes import http2, network, requests, self_check, stream, tunnel, uploads
from stlaunch.check.probes.limits import measure_limits
from stlaunch.check.probes.page_load import load_page
from stlaunch.check.sent import FORGED
from stlaunch.check.target import Target
from stlaunch.diagnostics.page_load import CONNECTIONS
from stlaunch.urls.streamlit_routes import HEALTH

Progress: TypeAlias = Callable[[str], None]

_UPLOADS = 6
_MOVES = 2
"""How often the page may lead to a better address: to https, and to a path below."""
_OK = 200
_NO_ANSWER = "the page gave no whole answer"
_TROUBLED = {Failure.CLOSED, Failure.BAD_HTTP}


async def observe(options: CheckOptions, progress: Progress = lambda _: None) -> Observations:
    """Observe the target and, if asked to, the same app bypassing the proxy.

    It ends in time: it returns what it has seen by then, and marks the rest as out of time.
    """
    if options.direct is None:
        return await _observe(options, options.target, progress)
    found: dict[str, Observations] = {}

    async def one(name: str, target: Target) -> None:
        found[name] = await _observe(options, target, progress)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one, "target", options.target)
        tasks.start_soon(one, "direct", options.direct)
    return replace(found["target"], direct=found["direct"])


async def _observe(options: CheckOptions, target: Target, progress: Progress) -> Observations:
    gathered = Gathered(target=target)
    run = _Run(options, gathered, progress)
    with anyio.move_on_after(options.timeout_s) as scope:
        await run.run()
        for moves_left in reversed(range(_MOVES)):
            if gathered.moved_to is None:
                break
            gathered = Gathered(target=gathered.moved_to, redirects=gathered.redirects)
            run = _Run(options, gathered, progress, may_move=moves_left > 0)
            await run.run()
    if scope.cancelled_caught:
        why = f"the time for the check was over (--timeout {options.timeout_s:g})"
        gathered.skipped = _rest(why) | gathered.skipped
        gathered.cut_reason = why
    await run.measure()
    return gathered.freeze()


class _Run:
    """One pass over one target."""

    def __init__(
        self,
        options: CheckOptions,
        gathered: Gathered,
        progress: Progress,
        *,
        may_move: bool = True,
    ) -> None:
        self.options = options
        self.seen = gathered
        self.target = gathered.target
        self.progress = progress
        self.may_move = may_move
        self.measured: tuple[Client, stream.Browser] | None = None

    async def run(self) -> None:
        address = await self._reach()
        if address is None:
            return
        client = self._client(self.target, address)
        if not await self._load_page(client, address):
            return
        # One browser's cookies, from the answers in order; from here on they do not change.
        self.progress("health")
        health = self.seen.http["health"] = await client.get(self.target.path(HEALTH))
        client.jar.keep(health)
        browser = stream.Browser.after(client, self.seen.http["page"])
        async with anyio.create_task_group() as tasks:
            for name, path in requests.planned(self.target).items():
                tasks.start_soon(self._guard, f"http.{name}", self._get, client, name, path)
            tasks.start_soon(self._guard, "http.asset", self._load_asset, client)
            tasks.start_soon(self._guard, "self_check", self._ask_self_check, client)
            await self._connect(client, browser)
        if self.seen.self_check is not None:
            self.seen.instances = await self_check.ask_instances(client)
            self.seen.handshake = await self_check.ask_received_handshake(client, browser)
        if pages.is_stlaunch(self.seen.http["page"]) and self._is_socket_doubtful():
            self.progress("a session over HTTP")
            await self._guard("fallback", self._run_fallback, client, browser)
        self.progress("the files of a page load")
        await self._guard("load", self._load_files, client)
        # A refused Origin makes bare Streamlit look its own address up on the internet, which
        # blocks it for up to two seconds: nothing else may run meanwhile.
        self.progress("a handshake from another site")
        self.seen.openings["foreign"] = await stream.only_open(client, "foreign", browser)
        self.measured = client, browser

    def _client(self, target: Target, address: str) -> Client:
        context = make_context(is_insecure=self.options.is_insecure) if target.is_tls else None
        dialer = Dialer(
            target=target, address=address, context=context, timeout_s=self.options.step_s
        )
        return Client(
            dialer,
            headers=self.options.headers,
            cookies=self.options.cookies,
            slots=anyio.CapacityLimiter(CONNECTIONS),
        )

    async def measure(self) -> None:
        """Measure limits, if asked to and if the rest has finished."""
        if not self.options.measures_limits:
            self.seen.skipped["limits"] = "not asked for (--limits)"
        elif self.measured is not None:
            self.progress("limits")
            client, browser = self.measured
            self.seen.limits = await measure_limits(
                client, browser, idle_s=self.options.idle_s, has_self_check=self._has_self_check
            )

    def _is_socket_doubtful(self) -> bool:
        """Return whether a browser's page might have to do without its WebSocket."""
        opening, session, h2 = self.seen.openings.get("browser"), self.seen.session, self.seen.http2
        is_refused_in_h2 = h2 is not None and h2.is_advertised and h2.status != _OK
        return (
            opening is None
            or not opening.is_accept_right
            or opening.header("sec-websocket-protocol") != stream.PROTOCOL
            or session is None
            or not session.messages
            or bool(session.damage)
            or is_refused_in_h2
        )

    async def _run_fallback(self, client: Client, browser: stream.Browser) -> None:
        opened, session = await tunnel.run_session(client, browser)
        self.seen.http["tunnel"] = opened
        self.seen.fallback = session

    @property
    def _has_self_check(self) -> bool:
        return self.seen.self_check is not None

    async def _reach(self) -> str | None:
        """Return the address that accepts connections and speaks the requested protocol, if any."""
        self.progress("name and addresses")
        seen, target, timeout_s = self.seen, self.target, self.options.step_s
        seen.dns = await network.look_up(target, timeout_s)
        seen.dialled = await network.dial_all(target, seen.dns, timeout_s)
        reached = [dialled.address for dialled in seen.dialled if dialled.failure is None]
        if not reached:
            why = "the name does not resolve" if not seen.dialled else "no connection"
            seen.skipped |= {"tls": why, **_rest(why)}
            return None
        if not target.is_tls:
            seen.skipped["tls"] = "the URL is http"
            return reached[0]
        self.progress("TLS")
        is_insecure = self.options.is_insecure
        seen.tls = await network.shake_tls(
            target, reached[0], is_insecure=is_insecure, timeout_s=timeout_s
        )
        if is_insecure:
            seen.skipped["tls.trust"] = "--insecure"
        if seen.tls.trouble is not None:
            # Never send the user's cookies and headers to a server that cannot prove its identity.
            seen.skipped |= _rest("TLS fails; --insecure accepts an untrusted certificate")
            return None
        return reached[0]

    async def _load_page(self, client: Client, address: str) -> bool:
        self.progress("the page")
        seen = self.seen
        page = await client.get(self.target.path("/"))
        client.jar.keep(page)
        moved = await self._better_address(page, address) if self.may_move else None
        if moved is not None:
            seen.moved_to, seen.redirects = moved, (*seen.redirects, page)
            return False
        chain, last = await requests.follow(client, page)
        seen.redirects, seen.http["page"] = (*seen.redirects, *chain), last
        if last.failure in _TROUBLED and not self.target.is_tls:
            tls = await network.shake_tls(
                self.target, address, is_insecure=True, timeout_s=self.options.step_s
            )
            seen.tls = tls if tls.trouble is None else None
        if last.failure is not None:
            seen.skipped |= _rest(_NO_ANSWER)
            return False
        return True

    async def _better_address(self, page: Exchange, address: str) -> Target | None:
        """Return the address of the same app that the page redirects to, if it is another one.

        A path below the requested one is the app's base only if the app answers for its health
        there: it may be one of the app's pages, or a login.
        """
        moved = self.target.following(page.header("location")) if page.is_redirect else None
        if moved is not None and moved.base_path != self.target.base_path:
            client = self._client(moved, address)
            if pages.login_of(page) or not pages.is_health(await client.get(moved.path(HEALTH))):
                moved = replace(moved, base_path=self.target.base_path)
        return moved if moved != self.target else None

    async def _guard(
        self, name: str, probe: Callable[..., Awaitable[None]], *arguments: object
    ) -> None:
        """Run a probe; a bug in it must not lose what the others see."""
        try:
            await probe(*arguments)
        except Exception as exc:  # noqa: BLE001 - reported as CRASH by the rules that needed it
            self.seen.crashed[name] = f"{type(exc).__name__}: {exc}"[:200]

    async def _get(self, client: Client, name: str, path: str) -> None:
        self.seen.http[name] = await client.get(path)

    async def _load_asset(self, client: Client) -> None:
        path = requests.asset_path(self.seen.http["page"])
        if path is None:
            self.seen.skipped["http.asset"] = "the page names no script of Streamlit"
            return
        self.seen.http["asset"] = await requests.get_asset(client, path, compressed=False)
        self.seen.http["asset_gzip"] = await requests.get_asset(client, path, compressed=True)

    async def _load_files(self, client: Client) -> None:
        """Run what may trigger a limit, once the rest has been seen."""
        page = self.seen.http["page"]
        self.seen.load = await load_page(client, page, within_s=self.options.step_s)
        if self.seen.load is None:
            self.seen.skipped["load"] = "the page names no files of Streamlit"

    async def _ask_self_check(self, client: Client) -> None:
        report = await self_check.ask(client)
        if report is None:
            why = "the app does not run under stlaunch, or its self-check is closed"
            self.seen.skipped |= dict.fromkeys(("self_check", "forged", "instances"), why)
            return
        self.seen.self_check = report
        self.seen.forged = await self_check.ask(client, FORGED)

    async def _connect(self, client: Client, browser: stream.Browser) -> None:
        """Run the probes that need the cookies from the page and from health."""
        self.progress("WebSocket and session")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._guard, "openings.browser", self._run_session, client, browser)
            for kind in ("no_origin", "three_parts"):
                tasks.start_soon(self._guard, f"openings.{kind}", self._open, client, kind, browser)
            tasks.start_soon(self._guard, "http.upload", self._upload, client, "upload", browser)
            tasks.start_soon(
                self._guard, "http.upload_bare", self._upload, client, "upload_bare", browser
            )
            tasks.start_soon(self._guard, "http.announced", self._announce, client, browser)
            tasks.start_soon(self._guard, "http.large_header", self._large_header, client)
            tasks.start_soon(self._guard, "http2", self._over_http2, client, browser)

    async def _run_session(self, client: Client, browser: stream.Browser) -> None:
        async def upload(session_id: str) -> None:
            statuses: list[int] = []

            async def one() -> None:
                answer = await uploads.put(client, browser, session_id)
                if answer.status is not None:
                    statuses.append(answer.status)

            async with anyio.create_task_group() as tasks:
                for _ in range(_UPLOADS):
                    tasks.start_soon(one)
            self.seen.uploads = tuple(statuses)

        opening, session = await stream.run_session(client, browser, with_session=upload)
        self.seen.openings["browser"] = opening
        self.seen.session = session
        if session is None:
            self.seen.skipped |= dict.fromkeys(("session", "uploads"), "no WebSocket was opened")
        elif self.seen.uploads is None:
            self.seen.skipped["uploads"] = "no session was started"

    async def _open(self, client: Client, kind: str, browser: stream.Browser) -> None:
        self.seen.openings[kind] = await stream.only_open(client, kind, browser)

    async def _upload(self, client: Client, name: str, browser: stream.Browser) -> None:
        self.seen.http[name] = await uploads.put(
            client, browser, uploads.invented_session(), has_token=name == "upload"
        )
        is_apps = self.seen.http[name].status == HTTPStatus.BAD_REQUEST  # no such session
        if name == "upload" and not is_apps and pages.is_stlaunch(self.seen.http["page"]):
            self.seen.http["pieces"] = await uploads.find_pieces(client)

    async def _announce(self, client: Client, browser: stream.Browser) -> None:
        answered = [one.elapsed_ms for one in self.seen.http.values() if one.failure is None]
        usual_s = max(answered, default=0) / 1000
        self.seen.http["announced"] = await uploads.announce(client, browser, usual_s=usual_s)

    async def _over_http2(self, client: Client, browser: stream.Browser) -> None:
        if self.seen.tls is None or self.seen.tls.alpn != "h2":
            self.seen.skipped["http2"] = "the server does not offer HTTP/2"
            return
        self.seen.http2 = await http2.ask_http2(client, browser)

    async def _large_header(self, client: Client) -> None:
        self.seen.http["large_header"] = await requests.get_with_large_header(client, self.target)


def _rest(why: str) -> dict[str, str]:
    names = (
        *("dns", "dialled", "tls", "http", "openings", "http2", "session", "fallback"),
        *("self_check", "forged", "instances", "uploads", "load"),
    )
    return dict.fromkeys((*names, "limits"), why)
