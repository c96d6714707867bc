"""`digest serve`: the web pages and, unless told not to, the clock."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
import uvicorn

from digest import stopping
from digest.bootstrap import Services
from digest.cli import console
from digest.cli.services import opened
from digest.errors import DigestError
from digest.template_bench import Bench
from digest.web.app import create_app
from digest.web.bench import create_bench
from scheduler import Clock

ENDING = "ending: finishing the calls in flight; once more ends at once"
LONGEST_REQUEST = 10  # seconds


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
    with _listening(host, port) as listening:
        server = _Server(create_app(services))
        with stopping.asked_to_stop(server.end) as stop:
            clock = Clock(services, stop=stop)
            try:
                if with_clock:
                    clock.start()
                console.note(
                    f"serving {_address(listening)}{'' if with_clock else ' without the clock'}; Ctrl-C ends it"
                )
                server.run(sockets=[listening])
            finally:
                clock.stop()


def serve_bench(bench: Bench, *, host: str, port: int) -> None:
    """Serve one edition to whoever writes its templates, until Ctrl-C or SIGTERM. Raises AddressInUse."""
    with _listening(host, port) as listening:
        server = _Server(create_bench(bench, host=host))
        with stopping.asked_to_stop(server.end):
            console.note(f"{bench.week} on {_address(listening)}, reloading on every change; Ctrl-C ends it")
            server.run(sockets=[listening])


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as why:
            raise AddressInUse(
                f"{host}:{port} cannot be used: {why.strerror}; choose another with --host or --port."
            ) from why
        yield listening


class _Server(uvicorn.Server):
    """Ends when it is told to. By itself it would catch the signals and raise them again when it is done, and that
    would end the process while the clock still waits for an answer."""

    def __init__(self, app: Callable[..., Any]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                # Whose X-Forwarded-For is believed is ours to decide: `digest.web.clients`.
                proxy_headers=False,
                timeout_graceful_shutdown=LONGEST_REQUEST,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def end(self) -> None:
        self.should_exit = True
        console.note(ENDING)


def _address(listening: socket.socket) -> str:
    host, port, *_ = listening.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
