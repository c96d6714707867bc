"""Who holds a lease, and whether that process still lives."""

from __future__ import annotations

import os
import secrets
import socket

# Containers give the same process number again and again: this tells one life of it from the next.
_LIFE = secrets.token_hex(4)
LONGEST_MACHINE = 60


def owner_name(token: str) -> str:
    """Who holds a lease: machine, process, its life, and a token that tells two workers of one process apart."""
    return f"{_machine()}/{os.getpid()}/{_LIFE}.{token}"


def _machine() -> str:
    return socket.gethostname()[:LONGEST_MACHINE]


def owner_is_gone(owner: str | None) -> bool:
    """Whether the owner was a process of this machine that no longer runs. Of other machines we cannot tell."""
    machine, _, rest = (owner or "").partition("/")
    pid, _, life = rest.partition("/")
    if machine != _machine() or not pid.isdigit():
        return False
    if int(pid) == os.getpid():
        return not life.startswith(_LIFE)
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
