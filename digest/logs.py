"""One log, on stderr: for people on a terminal, one JSON object a line elsewhere."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Literal, TextIO, cast

import structlog


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
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR if quiet else logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(_STDERR),
        cache_logger_on_first_use=False,
    )
    # The SendGrid client logs its key and every payload at DEBUG.
    logging.getLogger("python_http_client").setLevel(logging.WARNING)
