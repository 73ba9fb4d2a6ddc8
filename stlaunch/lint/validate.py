"""Ask the proxy itself, where it is installed, whether it accepts a file.

A part of a configuration is wrapped into a whole one, in a folder of its own that links to the
real one's neighbours, so that includes resolve as they would there.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stlaunch.errors import StartError, UsageError
from stlaunch.lint.kinds import FileKind, recognise
from stlaunch.lint.sources import Sources, ancestors
from stlaunch.proxies.needs import Product
from stlaunch.proxies.starting import find_binary
from stlaunch.quick_dataclass import dataclass

_LIMIT_S = 20
_MAX_ENTRIES = 500
_SBIN = ("/usr/sbin", "/usr/local/sbin", "/usr/local/nginx/sbin", "/opt/homebrew/bin")
# What the machine lacks, not the file: names, permissions, certificates, modules.
_OF_THE_MACHINE = re.compile(
    r"host not found|permission denied|cannot load|no such file|open\(\)|bind\(\)|getpwnam"
    r"|unknown directive|unknown \"\w+\" variable|could not be resolved|dlopen|mkdir\(\)"
    r"|invalid command|cannot (open|access)|unable to open|does not exist|failed to",
    re.IGNORECASE,
)
_PREFIX = "stlaunch-lint-"
_OF_ONE_RUN = rf"{_PREFIX}\w+|\d{{4}}/\d\d/\d\d \d\d:\d\d:\d\d|\d+#\d+"
"""Our own folder, and nginx's time and process id."""
_APACHE_MODULES = (
    "mpm_event authn_core authz_core authz_host unixd alias dir mime env setenvif headers rewrite "
    "filter deflate expires ssl socache_shmcb proxy proxy_http proxy_http2 proxy_wstunnel "
    "slotmem_shm proxy_balancer lbmethod_byrequests auth_basic authn_file authz_user http2 "
    "substitute ratelimit reqtimeout remoteip brotli"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the proxy says: nothing if it accepts the file."""

    program: str
    said: str = ""

    @property
    def is_refusal(self) -> bool:
        """The proxy does not accept the file."""
        return bool(self.said)

    @property
    def is_of_the_machine(self) -> bool:
        """Whether only something missing on this machine keeps the proxy from checking the file."""
        return _OF_THE_MACHINE.search(self.said) is not None

    @property
    def without_place(self) -> str:
        """The message without line numbers, which a change moves, and what is new in each run."""
        return re.sub(rf"{_OF_ONE_RUN}|:\d+|line \d+", "", self.said)


def ask_proxy(path: Path) -> Verdict | None:
    """Return what the proxy says about a file; None where it is not installed."""
    try:
        text = Sources().read(path)
    except UsageError:
        return None
    kind = recognise(path, text)
    if kind is FileKind.NGINX:
        binary = _binary("nginx") or _of_wheel()
        return _ask_nginx(binary, path, text) if binary else None
    if kind is FileKind.APACHE:
        binary = _binary("apache2") or _binary("httpd")
        return _ask_apache(binary, path, text) if binary else None
    return None


def _ask_nginx(binary: str, path: Path, text: str) -> Verdict:
    mains = (folder / "nginx.conf" for folder in ancestors(path))
    main = next((main for main in mains if main.is_file() and not main.samefile(path)), None)
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
        folder = Path(name)
        is_whole = re.search(r"(?m)^[ \t]*(http|events)[ \t]*(\{|$)", text) is not None
        home = path.parent if is_whole or main is None else main.parent
        for entry in _entries(home):
            if entry.name != "nginx.conf":
                # Windows lets few users make links: then nginx says which file is missing.
                with contextlib.suppress(OSError):
                    (folder / entry.name).symlink_to(entry.resolve())
        if is_whole:
            wrapped = _for_test(text, folder)
        elif main is not None and _is_loaded(path, main):
            wrapped = _for_test(Sources().read(main), folder)
        else:
            inner = f'include "{path.resolve()}";'
            if not re.search(r"(?m)^[ \t]*(server[ \t]*(\{|$)|upstream[ \t])", text):
                inner = f"server {{ listen 127.0.0.1:1; {inner} }}"
            wrapped = f"pid {folder}/pid; events {{}} http {{ {inner} }}"
        whole = folder / "nginx.conf"
        whole.write_text(wrapped, encoding="utf-8", errors="surrogateescape")
        return _run([binary, "-t", "-q", "-e", "stderr", "-p", name, "-c", str(whole)], "nginx -t")


def _for_test(text: str, folder: Path) -> str:
    """Return the main file without what only root may touch."""
    text = re.sub(r"(?m)(?:^|(?<=[;}]))([ \t]*)(pid|user|error_log)[ \t][^;\n]*;", r"\1", text)
    return f"pid {folder}/pid; {text}"


def _is_loaded(path: Path, main: Path) -> bool:
    from stlaunch.lint.nginx.tree import read_nginx  # noqa: PLC0415 - a parser of its own

    try:
        files = read_nginx(main, Sources()).files
    except UsageError:
        return False
    return any(file.resolve() == path.resolve() for file in files)


def _ask_apache(binary: str, path: Path, text: str) -> Verdict:
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
        whole = path
        if not re.search(r"(?mi)^[ \t]*(LoadModule|ServerRoot)[ \t]", text):
            folders = [Path("/usr/lib/apache2/modules"), Path("/usr/lib64/httpd/modules")]
            modules = next((folder for folder in folders if folder.is_dir()), None)
            lines = [f"ServerRoot {name}", "ServerName localhost", f"PidFile {name}/pid"]
            (Path(name) / "logs").mkdir()
            # Debian's apachectl passes these in the environment.
            lines += [f"Define APACHE_{what}_DIR {name}/logs" for what in ("LOG", "RUN", "LOCK")]
            for module in _APACHE_MODULES.split() if modules else ():
                library = modules / f"mod_{module}.so" if modules else Path()
                if library.exists():
                    lines.append(f"LoadModule {module}_module {library}")
            lines.append(f'Include "{path.resolve()}"')
            whole = Path(name) / "httpd.conf"
            whole.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return _run([binary, "-t", "-f", str(whole)], f"{Path(binary).name} -t")


def _run(command: list[str], program: str) -> Verdict:
    try:
        done = subprocess.run(  # noqa: S603 - the proxy itself, which only reads
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return Verdict(program, f"failed to run: {exc}")
    if done.returncode == 0:
        return Verdict(program)
    lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    reason = next((line for line in lines if "[emerg]" in line), "") or " ".join(lines[:3])
    return Verdict(program, reason[:500] or "refused without a word")


def _entries(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    yield from entries[:_MAX_ENTRIES]


def _binary(name: str) -> str | None:
    return shutil.which(name) or next(
        (found for folder in _SBIN if (found := shutil.which(name, path=folder))), None
    )


def _of_wheel() -> str | None:
    try:
        return str(find_binary(Product.NGINX))
    except StartError:
        return None
