"""One log, on stderr: for people on a terminal, one JSON object a line elsewhere.

Whatever is said in it, by us or by a library, is masked last of all: a mail address or a token that somebody's message
quotes does not stand there.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO, cast

import structlog

# A library at DEBUG says what it is given: keys and payloads, parameters and rows, pieces of forms.
TALKATIVE = ("python_http_client", "sqlalchemy")
# What a stranger's form has wrong is answered to them; anybody could fill the log with it.
SILENT = ("python_multipart",)

_APART = r"\s\"<>()\[\]{},;:=@/\\"
_ADDRESS = re.compile(rf"[^'{_APART}][^{_APART}]{{0,63}}@[^'{_APART}]{{1,255}}\.[^'.{_APART}]{{1,63}}")
_LINK = re.compile(r"(/(?:unsubscribe|preferences|confirm|my-data|change-address|sign-in)/)[A-Za-z0-9_-]{20,}")
_TOKEN = re.compile(r"\bvd_[A-Za-z0-9_-]{20,}")


def masked(text: str) -> str:
    """The same without mail addresses, without what makes a link of ours work, and without bearer tokens."""
    if "@" in text:
        text = _ADDRESS.sub("(address)", text)
    return _TOKEN.sub("vd_(token)", _LINK.sub(r"\1(token)", text))


class _Stderr:
    """Today's stderr. Where nobody reads any more a line is lost, but what was being logged goes on: a send must not
    end in the middle of a call because somebody closed the window."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


_STDERR = cast("TextIO", _Stderr())


def configure(form: Literal["console", "json"] | None, *, quiet: bool = False) -> None:
    """`form` None: console on a terminal, else JSON. `quiet`: only what went wrong."""
    chosen = form or ("console" if sys.stderr.isatty() else "json")
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if chosen == "console" else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _mask,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR if quiet else logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(_STDERR),
        cache_logger_on_first_use=False,
    )
    for library in TALKATIVE:
        logging.getLogger(library).setLevel(logging.WARNING)
    for library in SILENT:
        logging.getLogger(library).setLevel(logging.CRITICAL + 1)
    root = logging.getLogger()
    if not any(isinstance(handler.formatter, _Masking) for handler in root.handlers):
        root.addHandler(_of_libraries())


def _of_libraries() -> logging.Handler:
    """What libraries say goes where it went before, only masked."""
    handler = logging.StreamHandler(_STDERR)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_Masking())
    return handler


class _Masking(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def _mask(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: _masked_within(value) for key, value in line.items()}


def _masked_within(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: _masked_within(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked_within(inner) for inner in value]
    return value if isinstance(value, int | float | None) else masked(str(value))
