"""The command line: one file per noun, each a thin door over the story."""

from digest.cli.app import main

__all__ = ["main"]
