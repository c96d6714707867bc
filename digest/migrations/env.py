"""Alembic's entry: always on a connection that `digest.migrations` opened."""

from alembic import context

import digest.models as _paper
import subscribers.models as _people
from database import Base
from digest.migrations.env_options import OPTIONS

TABLES_OF = (_paper, _people)  # imported so that their tables are in the metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata, **OPTIONS)
with context.begin_transaction():
    context.run_migrations()
