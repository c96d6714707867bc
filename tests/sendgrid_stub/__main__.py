"""The stand-in by hand."""

from __future__ import annotations

import argparse
import contextlib
import gc
import signal
import sys

from tests.sendgrid_stub.server import Server
from tests.sendgrid_stub.world import CANCEL_MARGIN, World


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.sendgrid_stub", description="A stand-in for SendGrid.")
    parser.add_argument("--port", type=int, default=4010, help="0 takes a free one (default: 4010)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same run")
    parser.add_argument("--key", help="the only API key taken (default: any that starts with SG.)")
    parser.add_argument("--whole-bodies", type=int, default=16, help="requests remembered whole (default: 16)")
    parser.add_argument("--webhook", metavar="URL", help="where signed events are posted (default: nowhere)")
    parser.add_argument(
        "--cancel-margin",
        type=float,
        default=CANCEL_MARGIN,
        metavar="SECONDS",
        help="how long before its time a batch can be cancelled at the latest (default: 600)",
    )
    asked = parser.parse_args()
    world = World(key=asked.key, seed=asked.seed, whole_bodies=asked.whole_bodies, margin=asked.cancel_margin)
    world.hook.to(asked.webhook)
    # Every request is a hundred thousand objects that die at once; looking for cycles among them costs a sixth.
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Server(world, port=asked.port) as server, contextlib.suppress(KeyboardInterrupt):
        print(f"listening on {server.url}", flush=True)
        print(f"SENDGRID_WEBHOOK_PUBLIC_KEY={world.hook.key.public_key}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
