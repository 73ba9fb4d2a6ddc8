"""Log lines of one process in one format, text or JSON: ours, and those handed over to us.

It owns the format and the request that a line belongs to. Loggers of the user's own code are
never touched.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

_CODE = re.compile(r"STL[1-9][0-9]{2}\b")
_EXTRA = "stlaunch_"
# What a terminal obeys, what ends a line for some reader, and what turns its direction.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
# uvicorn says this about every handshake that is answered with a status (ASGI's denial response).
_NOISE = "ASGI callable returned without completing handshake."


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
    """Send our log, uvicorn's and asyncio's to stderr; return the handler for more loggers."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    handler.addFilter(lambda record: record.msg != _NOISE)
    logging.getLogger("stlaunch").setLevel(level)
    for name in ("stlaunch", "uvicorn", "asyncio"):
        logger = logging.getLogger(name)
        for old in logger.handlers[:]:
            if isinstance(old.formatter, TextFormatter | JsonFormatter):
                logger.removeHandler(old)
        logger.addHandler(handler)
        logger.propagate = False
    return handler


def json_line(message: str, **facts: object) -> str:
    """Return one line as the JSON log has it, for what is not logged but printed."""
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
        return _harmless(super().format(record))


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
        return _harmless(json.dumps(line, ensure_ascii=False, default=str))


def _harmless(line: str) -> str:
    r"""Return a line that does nothing but be read: `\u001b` instead of an escape character.

    The notation is JSON's, too. Line feeds stay: fixes and tracebacks have several lines, and no
    header can hold one.
    """
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", line)


def _origin(record: logging.LogRecord) -> str:
    return "streamlit" if record.name == "root" else record.name.partition(".")[0]
