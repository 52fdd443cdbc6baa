"""Films: which photos are a sequence, in which order, and how sure the labels carried to each are."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "film",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("timed", sa.Boolean, nullable=False),
        sa.Column("added", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_film"),
        sa.UniqueConstraint("source", name="uq_film_source"),
    )
    op.create_table(
        "frame",
        sa.Column("photo_id", sa.Integer, nullable=False),
        sa.Column("film_id", sa.Integer, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("sure", sa.Float(53)),
        sa.PrimaryKeyConstraint("photo_id", name="pk_frame"),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], name="fk_frame_photo_id_photo"),
        sa.ForeignKeyConstraint(["film_id"], ["film.id"], name="fk_frame_film_id_film"),
    )
    op.create_index("ix_frame_film_id", "frame", ["film_id"])
