"""`digest serve`: the web pages and, unless told not to, the clock."""

from __future__ import annotations

import socket
from typing import Annotated

import typer
import uvicorn

from digest.bootstrap import Services
from digest.cli import console
from digest.cli.services import opened
from digest.errors import DigestError
from digest.web.app import create_app
from scheduler import Clock


class AddressInUse(DigestError):
    """That address is in use by another program."""


def serve(
    host: Annotated[str, typer.Option("--host")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8000,
    no_scheduler: Annotated[bool, typer.Option("--no-scheduler", help="The clock runs elsewhere.")] = False,
) -> None:
    """Serve the pages; the clock runs inside, unless told not to."""
    with opened() as services:
        serve_services(services, host=host, port=port, with_clock=not no_scheduler)


def serve_services(services: Services, *, host: str, port: int, with_clock: bool) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises AddressInUse."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as why:
            raise AddressInUse(
                f"{host}:{port} cannot be used: {why.strerror}; choose another with --host or --port."
            ) from why
        config = uvicorn.Config(
            create_app(services), log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=10
        )
        clock = Clock(services) if with_clock else None
        if clock:
            clock.start()
        console.note(f"serving http://{host}:{port}{'' if clock else ' without the clock'}; Ctrl-C ends it")
        try:
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            if clock:
                clock.stop()
