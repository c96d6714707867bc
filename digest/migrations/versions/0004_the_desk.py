"""The desk: edits with what they changed, what the program wrote beside what goes out, overrides, links asked,
what is known of the way out, corrections."""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def _key() -> sa.types.TypeEngine:
    return sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def _fill_by_rule() -> None:
    """Nobody could edit until now: what goes out is what the program wrote."""
    connection = op.get_bind()
    editions = sa.table('editions', *(sa.column(name) for name in ('subject', 'breath', 'subject_by_rule', 'breath_by_rule')))
    connection.execute(
        editions.update().values(subject_by_rule=editions.c.subject, breath_by_rule=editions.c.breath)
    )
    entries = sa.table(
        'entries',
        sa.column('edition_id'), sa.column('position'), sa.column('summary', sa.JSON()),
        sa.column('headline_by_rule'), sa.column('sentence_by_rule'),
    )
    keys = connection.execute(sa.select(entries.c.edition_id, entries.c.position)).all()
    for edition, position in keys:
        this = sa.and_(entries.c.edition_id == edition, entries.c.position == position)
        summary = connection.scalar(sa.select(entries.c.summary).where(this))
        connection.execute(
            entries.update().where(this).values(
                headline_by_rule=summary.get('headline', ''), sentence_by_rule=summary.get('sentence', '')
            )
        )


def upgrade() -> None:
    with op.batch_alter_table('editions', schema=None) as batch_op:
        batch_op.add_column(sa.Column('subject_by_rule', sa.String(length=400), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('breath_by_rule', sa.String(length=400), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('revision', sa.Integer(), nullable=False, server_default='0'))
    with op.batch_alter_table('entries', schema=None) as batch_op:
        batch_op.add_column(sa.Column('headline_by_rule', sa.Text(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('sentence_by_rule', sa.Text(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('pinned', sa.Boolean(), nullable=False, server_default=sa.false()))
    _fill_by_rule()
    op.create_table('edits',
    sa.Column('id', _key(), nullable=False),
    sa.Column('edition_id', _key(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('began_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('by', sa.String(length=320), nullable=False),
    sa.Column('what', sa.String(length=400), nullable=False),
    sa.Column('before', sa.JSON(), nullable=False),
    sa.Column('after', sa.JSON(), nullable=False),
    sa.Column('undoes', sa.Integer(), nullable=True),
    sa.Column('undone_in', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['edition_id'], ['editions.id'], name=op.f('fk_edits_edition_id_editions')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_edits')),
    sa.UniqueConstraint('edition_id', 'revision', name=op.f('uq_edits_edition_id_revision'))
    )
    op.create_table('overrides',
    sa.Column('edition_id', _key(), nullable=False),
    sa.Column('problem_key', sa.String(length=64), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('problem', sa.Text(), nullable=False),
    sa.Column('why', sa.Text(), nullable=False),
    sa.Column('by', sa.String(length=320), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['edition_id'], ['editions.id'], name=op.f('fk_overrides_edition_id_editions')),
    sa.PrimaryKeyConstraint('edition_id', 'problem_key', name=op.f('pk_overrides'))
    )
    op.create_table('link_checks',
    sa.Column('url', sa.String(length=2000), nullable=False),
    sa.Column('checked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('alive', sa.Boolean(), nullable=False),
    sa.Column('why', sa.Text(), nullable=True),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('url', name=op.f('pk_link_checks'))
    )
    op.create_table('examined',
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('ok', sa.Boolean(), nullable=True),
    sa.Column('words', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_examined'))
    )
    op.create_table('corrections',
    sa.Column('id', _key(), nullable=False),
    sa.Column('edition_id', _key(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('by', sa.String(length=320), nullable=False),
    sa.Column('words', sa.Text(), nullable=False),
    sa.Column('printed_in', _key(), nullable=True),
    sa.ForeignKeyConstraint(['edition_id'], ['editions.id'], name=op.f('fk_corrections_edition_id_editions')),
    sa.ForeignKeyConstraint(['printed_in'], ['editions.id'], name=op.f('fk_corrections_printed_in_editions')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_corrections'))
    )
    with op.batch_alter_table('corrections', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_corrections_edition_id'), ['edition_id'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('corrections', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_corrections_edition_id'))
    for table in ('corrections', 'examined', 'link_checks', 'overrides', 'edits'):
        op.drop_table(table)
    with op.batch_alter_table('entries', schema=None) as batch_op:
        for column in ('pinned', 'sentence_by_rule', 'headline_by_rule'):
            batch_op.drop_column(column)
    with op.batch_alter_table('editions', schema=None) as batch_op:
        for column in ('revision', 'breath_by_rule', 'subject_by_rule'):
            batch_op.drop_column(column)
