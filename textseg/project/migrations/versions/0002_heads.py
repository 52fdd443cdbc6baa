"""Heads and trainings: what a project has learnt."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "head",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("file", sa.String, nullable=False),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_head"),
    )
    op.create_table(
        "training",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("doing", sa.String, nullable=False),
        sa.Column("done", sa.Double, nullable=False),
        sa.Column("curve", sa.JSON, nullable=False),
        sa.Column("log", sa.JSON, nullable=False),
        sa.Column("problem", sa.String),
        sa.Column("cancel", sa.Boolean, nullable=False),
        sa.Column("process", sa.Integer),
        sa.Column("beat", sa.DateTime, nullable=False),
        sa.Column("began", sa.DateTime, nullable=False),
        sa.Column("ended", sa.DateTime),
        sa.Column("head_id", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_training"),
        sa.ForeignKeyConstraint(["head_id"], ["head.id"], name="fk_training_head_id_head"),
    )
