"""What a program that follows links sees, and how tests find out that it changed nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from database import Base
from digest.bootstrap import Services

_LINK = re.compile(r'https?://[^\s"<>]+')


def dump(services: Services) -> dict[str, list[Any]]:
    """Every row of every table."""
    with services.database.reading() as session:
        tables = Base.metadata.sorted_tables
        return {table.name: sorted(map(repr, session.execute(sa.select(table)))) for table in tables}


def paths_in(text: str, site: str) -> Iterator[str]:
    """The paths of our own links in a text, wherever they stand."""
    for url in _LINK.findall(text):
        if url.startswith(site):
            yield urlsplit(url.rstrip(">.,")).path
