"""Alembic's entry: always on a connection that `digest.migrations` opened."""

from alembic import context

import digest.models
import subscribers.models  # noqa: F401 - its tables belong to the same metadata
from database import Base
from digest.migrations.env_options import OPTIONS

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata, **OPTIONS)
with context.begin_transaction():
    context.run_migrations()
