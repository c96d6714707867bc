"""A SendGrid that behaves and misbehaves like the real one: a real HTTP server on loopback.

By hand: `python -m tests.sendgrid_stub --port 4010`. In tests: `with running_stub() as stub:`.
"""

from __future__ import annotations

from tests.sendgrid_stub.handle import KEY, Stub, running_stub, stub_process

__all__ = ["KEY", "Stub", "running_stub", "stub_process"]
