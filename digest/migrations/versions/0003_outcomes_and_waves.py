"""What a provider tells (events, its suppression lists), fences, the first wave, who flipped the kill switch, and
which tools each edition showed."""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

def _fill_featured() -> None:
    """From the pages kept with each entry: a tool is its slug, or its name and tagline; its verdict the badge, or the
    site's own thresholds of the percentage."""
    featured = sa.table('featured', *(sa.column(name) for name in ('identity', 'edition_id', 'verdict')))
    entries = sa.table('entries', sa.column('edition_id'), sa.column('position'), sa.column('facts', sa.JSON()))
    connection = op.get_bind()
    rows: dict[tuple[str, int], str | None] = {}
    kept = sa.select(entries.c.edition_id, entries.c.facts).order_by(entries.c.edition_id, entries.c.position)
    for edition, facts in connection.execute(kept):
        for tool in facts['tools']:
            identity = tool.get('slug') or f"{tool['name']}\n{tool.get('tagline') or ''}"
            percent = tool.get('panel_ship_percent')
            by_percent = None if percent is None else 'ship' if percent >= 75 else 'mixed' if percent >= 50 else 'skip'
            rows[identity, edition] = tool.get('verdict') or by_percent
    values = [{'identity': key[0], 'edition_id': key[1], 'verdict': verdict} for key, verdict in rows.items()]
    if values:
        connection.execute(featured.insert(), values)


def upgrade() -> None:
    op.create_table('provider_events',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('event_key', sa.String(length=32), nullable=False),
    sa.Column('content_key', sa.String(length=32), nullable=False),
    sa.Column('post', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('happened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('delivery_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('batch_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('attempt', sa.Integer(), nullable=True),
    sa.Column('address_hash', sa.String(length=64), nullable=True),
    sa.Column('raw', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_provider_events')),
    sa.UniqueConstraint('content_key', name=op.f('uq_provider_events_content_key')),
    sa.UniqueConstraint('event_key', name=op.f('uq_provider_events_event_key'))
    )
    with op.batch_alter_table('provider_events', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_provider_events_address_hash'), ['address_hash'], unique=False)
        batch_op.create_index(batch_op.f('ix_provider_events_delivery_id'), ['delivery_id'], unique=False)

    op.create_table('suppression_syncs',
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('read_until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('synced_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_suppression_syncs'))
    )
    op.create_table('fenced_attempts',
    sa.Column('batch_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('attempt', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('provider_batch_id', sa.String(length=100), nullable=False),
    sa.Column('send_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('cancelled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('released_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['batch_id'], ['batches.id'], name=op.f('fk_fenced_attempts_batch_id_batches')),
    sa.PrimaryKeyConstraint('batch_id', 'attempt', name=op.f('pk_fenced_attempts')),
    sa.UniqueConstraint('provider_batch_id', name=op.f('uq_fenced_attempts_provider_batch_id'))
    )
    op.create_table('featured',
    sa.Column('identity', sa.String(length=700), nullable=False),
    sa.Column('edition_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('verdict', sa.String(length=8), nullable=True),
    sa.ForeignKeyConstraint(['edition_id'], ['editions.id'], name=op.f('fk_featured_edition_id_editions')),
    sa.PrimaryKeyConstraint('identity', 'edition_id', name=op.f('pk_featured'))
    )
    _fill_featured()
    with op.batch_alter_table('comparisons', schema=None) as batch_op:
        batch_op.create_index('ix_comparisons_published_at', ['published_at'], unique=False)

    with op.batch_alter_table('batches', schema=None) as batch_op:
        batch_op.add_column(sa.Column('wave', sa.Integer(), server_default='1', nullable=False))

    with op.batch_alter_table('deliveries', schema=None) as batch_op:
        batch_op.add_column(sa.Column('hard_bounced_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index('ix_deliveries_complained', ['edition_id', 'id'], unique=False, sqlite_where=sa.text('complained_at IS NOT NULL'), postgresql_where=sa.text('complained_at IS NOT NULL'))
        batch_op.create_index('ix_deliveries_hard_bounced', ['edition_id', 'id'], unique=False, sqlite_where=sa.text('hard_bounced_at IS NOT NULL'), postgresql_where=sa.text('hard_bounced_at IS NOT NULL'))

    with op.batch_alter_table('editions', schema=None) as batch_op:
        batch_op.add_column(sa.Column('wave_until', sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table('pauses', schema=None) as batch_op:
        batch_op.add_column(sa.Column('kind', sa.String(length=16), server_default='rate limit', nullable=False))
        batch_op.add_column(sa.Column('by', sa.String(length=320), nullable=True))

def downgrade() -> None:
    with op.batch_alter_table('pauses', schema=None) as batch_op:
        batch_op.drop_column('by')
        batch_op.drop_column('kind')

    with op.batch_alter_table('editions', schema=None) as batch_op:
        batch_op.drop_column('wave_until')

    with op.batch_alter_table('deliveries', schema=None) as batch_op:
        batch_op.drop_index('ix_deliveries_hard_bounced', sqlite_where=sa.text('hard_bounced_at IS NOT NULL'), postgresql_where=sa.text('hard_bounced_at IS NOT NULL'))
        batch_op.drop_index('ix_deliveries_complained', sqlite_where=sa.text('complained_at IS NOT NULL'), postgresql_where=sa.text('complained_at IS NOT NULL'))
        batch_op.drop_column('hard_bounced_at')

    with op.batch_alter_table('batches', schema=None) as batch_op:
        batch_op.drop_column('wave')

    with op.batch_alter_table('comparisons', schema=None) as batch_op:
        batch_op.drop_index('ix_comparisons_published_at')

    op.drop_table('featured')
    op.drop_table('fenced_attempts')
    op.drop_table('suppression_syncs')
    with op.batch_alter_table('provider_events', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_provider_events_delivery_id'))
        batch_op.drop_index(batch_op.f('ix_provider_events_address_hash'))

    op.drop_table('provider_events')
