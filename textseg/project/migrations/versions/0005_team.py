"""Who did what: authors of steps, who is on which photo, who is to do it, reviews, and second opinions."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("edit", sa.Column("author", sa.String))
    op.add_column("photo", sa.Column("assignee", sa.String))
    op.add_column("photo", sa.Column("review", sa.String))
    op.create_table(
        "presence",
        sa.Column("photo_id", sa.Integer, nullable=False),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("since", sa.DateTime, nullable=False),
        sa.Column("until", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("photo_id", "who", name="pk_presence"),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], name="fk_presence_photo_id_photo"),
    )
    op.create_table(
        "review",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("photo_id", sa.Integer, nullable=False),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("whom", sa.String),
        sa.Column("note", sa.String, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_review"),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], name="fk_review_photo_id_photo"),
    )
    op.create_index("ix_review_photo_id", "review", ["photo_id"])
    op.create_table(
        "opinion",
        sa.Column("photo_id", sa.Integer, nullable=False),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("ids", sa.LargeBinary, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("photo_id", "who", name="pk_opinion"),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], name="fk_opinion_photo_id_photo"),
    )
