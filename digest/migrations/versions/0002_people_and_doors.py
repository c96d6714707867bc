"""What the doors keep (requests, limits, sessions, tokens, the audit log, imports), and what people are found by."""

import sqlalchemy as sa
from alembic import op


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('api_tokens',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('scopes', sa.JSON(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_tokens')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_api_tokens_token_hash'))
    )
    op.create_table('audit_log',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('by', sa.String(length=100), nullable=False),
    sa.Column('what', sa.String(length=100), nullable=False),
    sa.Column('about', sa.String(length=100), nullable=True),
    sa.Column('details', sa.JSON(), nullable=False),
    sa.Column('previous', sa.String(length=64), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_log'))
    )
    op.create_table('idempotency_keys',
    sa.Column('token_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('key_hash', sa.String(length=64), nullable=False),
    sa.Column('request_hash', sa.String(length=64), nullable=False),
    sa.Column('status', sa.Integer(), nullable=False),
    sa.Column('body', sa.JSON(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('token_id', 'key_hash', name=op.f('pk_idempotency_keys'))
    )
    with op.batch_alter_table('idempotency_keys', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_idempotency_keys_made_at'), ['made_at'], unique=False)

    op.create_table('imports',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('file_name', sa.String(length=200), nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=True),
    sa.Column('basis', sa.String(length=500), nullable=True),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('by', sa.String(length=100), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('lines_done', sa.Integer(), nullable=False),
    sa.Column('report', sa.JSON(), nullable=True),
    sa.Column('problem', sa.Text(), nullable=True),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_imports'))
    )
    op.create_table('limits',
    sa.Column('what', sa.String(length=40), nullable=False),
    sa.Column('subject', sa.String(length=64), nullable=False),
    sa.Column('window', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('what', 'subject', 'window', name=op.f('pk_limits'))
    )
    with op.batch_alter_table('limits', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_limits_ends_at'), ['ends_at'], unique=False)

    op.create_table('refused_addresses',
    sa.Column('address_hash', sa.String(length=64), nullable=False),
    sa.Column('because', sa.String(length=16), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('address_hash', name=op.f('pk_refused_addresses'))
    )
    op.create_table('requests',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('email', sa.String(length=320), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('not_before', sa.DateTime(timezone=True), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('source', sa.String(length=200), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=True),
    sa.Column('topics', sa.Text(), nullable=False),
    sa.Column('wording', sa.Text(), nullable=True),
    sa.Column('wording_version', sa.String(length=40), nullable=True),
    sa.Column('ip', sa.String(length=45), nullable=True),
    sa.Column('user_agent', sa.String(length=400), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_requests'))
    )
    with op.batch_alter_table('requests', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_requests_not_before'), ['not_before'], unique=False)

    op.create_table('address_changes',
    sa.Column('subscriber_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('link_id', sa.String(length=22), nullable=False),
    sa.Column('email', sa.String(length=320), nullable=False),
    sa.Column('email_key', sa.String(length=320), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['subscriber_id'], ['subscribers.id'], name=op.f('fk_address_changes_subscriber_id_subscribers'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('subscriber_id', name=op.f('pk_address_changes')),
    sa.UniqueConstraint('link_id', name=op.f('uq_address_changes_link_id'))
    )
    op.create_table('sessions',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('staff_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('user_agent', sa.String(length=400), nullable=True),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_sessions_staff_id_staff')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sessions')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_sessions_token_hash'))
    )
    with op.batch_alter_table('sessions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_sessions_staff_id'), ['staff_id'], unique=False)

    op.create_table('sign_in_links',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('link_id', sa.String(length=22), nullable=False),
    sa.Column('staff_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_sign_in_links_staff_id_staff')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sign_in_links')),
    sa.UniqueConstraint('link_id', name=op.f('uq_sign_in_links_link_id'))
    )
    # Not in batch mode: SQLite would make `subscribers` anew, and dropping the old one takes every consent event along.
    op.add_column('consent_events', sa.Column('wording_version', sa.String(length=40), nullable=True))
    op.drop_index('ix_consent_events_subscriber_id', 'consent_events')
    op.create_index('ix_consent_events_subscriber_id_id_kind', 'consent_events', ['subscriber_id', 'id', 'kind'])
    op.create_index('ix_consent_events_kind_happened_at', 'consent_events', ['kind', 'happened_at', 'subscriber_id'])
    op.add_column('editions', sa.Column('journaled_begun_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('letters', sa.Column('address_hash', sa.String(length=64), nullable=True))
    op.create_index('ix_letters_address_hash_queued_at', 'letters', ['address_hash', 'queued_at'])
    op.add_column('subscribers', sa.Column('search', sa.Text(), nullable=False, server_default=''))
    fill_search()
    op.create_index('ix_subscribers_search', 'subscribers', ['id', 'state', 'search'])


def fill_search() -> None:
    """Address and name of everybody there already, case-folded here: SQLite folds only ASCII."""
    people = sa.table('subscribers', sa.column('id'), sa.column('email'), sa.column('email_key'), sa.column('name'), sa.column('search'))
    bind, after = op.get_bind(), 0
    page = sa.select(people.c.id, people.c.email, people.c.email_key, people.c.name).order_by(people.c.id).limit(5_000)
    while found := bind.execute(page.where(people.c.id > after)).all():
        filled = [{'person': row.id, 'text': searchable(row.email, row.email_key, row.name)} for row in found]
        statement = sa.update(people).where(people.c.id == sa.bindparam('person')).values(search=sa.bindparam('text'))
        bind.execute(statement, filled)
        after = found[-1].id


def searchable(email: str, key: str, name: str | None) -> str:
    typed = email.casefold()
    return ' '.join([key, *([typed] if typed != key else []), *([name.casefold()] if name else [])])


def downgrade() -> None:
    op.drop_index('ix_subscribers_search', 'subscribers')
    op.drop_column('subscribers', 'search')
    op.drop_index('ix_letters_address_hash_queued_at', 'letters')
    op.drop_column('letters', 'address_hash')
    op.drop_column('editions', 'journaled_begun_at')
    op.drop_index('ix_consent_events_kind_happened_at', 'consent_events')
    op.drop_index('ix_consent_events_subscriber_id_id_kind', 'consent_events')
    op.create_index('ix_consent_events_subscriber_id', 'consent_events', ['subscriber_id'])
    op.drop_column('consent_events', 'wording_version')
    for table in ('sign_in_links', 'sessions', 'address_changes', 'requests', 'refused_addresses', 'limits', 'imports',
                  'idempotency_keys', 'audit_log', 'api_tokens'):
        op.drop_table(table)
