"""Format the log lines of this process, as text or JSON: ours, and those of libraries.

It owns the format and the request that a line belongs to. Loggers of the user's own code are
never touched.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from stlaunch.quick_dataclass import dataclass

_CODE = re.compile(r"STL[1-9][0-9]{2}\b")
_EXTRA = "stlaunch_"
_OUR_LOGGER = "stlaunch"
# Libraries that log about requests, and may repeat what a stranger sent.
_LIBRARIES = ("uvicorn", "asyncio", "websockets", "python_multipart", "multipart", "starlette")
_MAX_WARNINGS = 20
_AT_MARGIN = re.compile(r"\n(?=[^ \t])")
_NOISE = frozenset(
    {
        # uvicorn, about every handshake that is answered with a status (ASGI's denial response).
        "ASGI callable returned without completing handshake.",
        # uvicorn, about an answer that its client left unread until a newer request ended it.
        "ASGI callable returned without completing response.",
        # watchdog, when a folder is no longer watched and a file in it was touched at that moment.
        "InotifyEmitter.queue_events() called when the thread is inactive",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """The request that log lines belong to.

    Attributes:
        request_id: X-Request-ID, as it arrived or as we chose it.
        trace_id: the trace of `traceparent` (W3C Trace Context); empty without one.
    """

    request_id: str = ""
    trace_id: str = ""


current_request: ContextVar[RequestContext | None] = ContextVar("current_request", default=None)


def configure(level: int = logging.INFO, *, as_json: bool = False) -> logging.Handler:
    """Send our log and that of libraries to stderr; return the handler for more loggers.

    It also becomes the last resort, for loggers that nobody configured.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    library_lines = LibraryLines()
    handler.addFilter(library_lines)
    logging.getLogger(_OUR_LOGGER).setLevel(level)
    last_resort = logging.StreamHandler(sys.stderr)
    last_resort.setLevel(logging.WARNING)  # as Python's own
    last_resort.setFormatter(handler.formatter)
    last_resort.addFilter(library_lines)
    logging.lastResort = last_resort
    for name in (_OUR_LOGGER, *_LIBRARIES):
        logger = logging.getLogger(name)
        for old in logger.handlers[:]:
            if isinstance(old.formatter, TextFormatter | JsonFormatter):
                logger.removeHandler(old)
        logger.addHandler(handler)
        logger.propagate = False
    return handler


def json_line(message: str, **facts: object) -> str:
    """Return one line in the format of the JSON log, for output that is printed, not logged."""
    record = logging.LogRecord("stlaunch", logging.INFO, "", 0, message, None, None)
    vars(record).update({_EXTRA + name: value for name, value in facts.items()})
    return JsonFormatter().format(record)


class TextFormatter(logging.Formatter):
    """`21:40:18 stlaunch WARNING: STL302 A page fell back to HTTP`, for people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(origin)s %(levelname)s: %(message)s", datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        record.origin = _origin(record)
        return _AT_MARGIN.sub("\n    ", harmless(super().format(record)))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line without its traceback: our fixes have several lines, other texts one."""
        if not _is_ours(record):
            record.message = record.message.replace("\n", "\\n")
        return super().formatMessage(record)


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message; code, request_id and more where known."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        message = record.getMessage()
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message,
        }
        if code := _CODE.match(message):
            line["code"] = code[0]
        request = current_request.get()
        if request is not None:
            line |= {"request_id": request.request_id} if request.request_id else {}
            line |= {"trace_id": request.trace_id} if request.trace_id else {}
        for name, value in vars(record).items():
            if name.startswith(_EXTRA):
                line[name.removeprefix(_EXTRA)] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return harmless(json.dumps(line, ensure_ascii=False, default=str))


def harmless(text: str) -> str:
    r"""Return a text that is safe to print: `\u001b` instead of an escape character.

    It escapes what a terminal obeys, what ends a line for some reader, what changes the direction
    or is invisible, and what cannot be written as UTF-8. The notation is JSON's. Line feeds and
    tabs stay: the caller decides about them.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" else _escaped(char) for char in text
    )


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


class LibraryLines(logging.Filter):
    """Lets through what a library logs, but only so many warnings a minute.

    Each warning is about one request, and a stranger can send any number. Errors are never dropped.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._minute = -1
        self._said: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record gets a line."""
        if isinstance(record.msg, str) and record.msg in _NOISE:
            return False
        library = record.name.partition(".")[0]
        # A stop cuts off clients that still send, and says so. By name: asyncio is slow to import.
        failure = record.exc_info[0] if record.exc_info else None
        if library == "uvicorn" and failure and failure.__name__ == "CancelledError":
            return False
        if record.levelno > logging.WARNING or library not in _LIBRARIES:
            return True
        minute = int(self._clock() // 60)
        if minute != self._minute:
            self._minute = minute
            self._said.clear()
        self._said[library] += 1
        if self._said[library] == _MAX_WARNINGS:
            record.msg = f"{record.getMessage()} (no more warnings of {library} in this minute)"
            record.args = None
        return self._said[library] <= _MAX_WARNINGS


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == _OUR_LOGGER


def _origin(record: logging.LogRecord) -> str:
    return "streamlit" if record.name == "root" else record.name.partition(".")[0]
