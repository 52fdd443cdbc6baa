"""Heads know by number the head that they began with."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("head", sa.Column("started_from", sa.Integer))
    head = sa.table("head", sa.column("id", sa.Integer), sa.column("facts", sa.JSON), sa.column("started_from"))
    connection = op.get_bind()
    rows = connection.execute(sa.select(head.c.id, head.c.facts)).all()
    known = {row.id for row in rows}
    for row in rows:
        kind, _, number = str(row.facts.get("start")).rpartition(" ")  # "head 3" until now
        if kind == "head" and number.isdecimal() and int(number) in known:
            connection.execute(sa.update(head).where(head.c.id == row.id).values(started_from=int(number)))
