"""How Alembic compares and writes our columns, shared by the upgrade and the test that nothing was forgotten."""

from typing import Any

import sqlalchemy as sa

from database import UtcDateTime


def render_item(kind: str, item: Any, _autogen: Any) -> str | bool:
    """Write our own column types as plain SQLAlchemy, so that no migration imports our code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, sa.Enum):
        return f"sa.String(length={item.length})"
    return False


def compare_type(
    _context: Any, _column: Any, _metadata_column: Any, _inspected: Any, metadata_type: Any
) -> bool | None:
    """A state is stored as its word, so the database knows it as text."""
    return False if isinstance(metadata_type, sa.Enum) else None


OPTIONS: dict[str, Any] = {"render_item": render_item, "compare_type": compare_type, "render_as_batch": True}
