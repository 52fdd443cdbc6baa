"""The first schema: photos, classes, sources, tiles, edits."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "photo",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("suffix", sa.String, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("note", sa.String, nullable=False),
        sa.Column("added", sa.DateTime, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("undo_top", sa.Integer),
        sa.Column("redo_top", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_photo"),
        sa.UniqueConstraint("sha256", name="uq_photo_sha256"),
    )
    op.create_table(
        "class",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("aliases", sa.JSON, nullable=False),
        sa.Column("colour", sa.String, nullable=False),
        sa.Column("background", sa.Boolean, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("merged_into", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_class"),
        sa.ForeignKeyConstraint(["merged_into"], ["class.id"], name="fk_class_merged_into_class"),
    )
    op.create_table(
        "source",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("photo_id", sa.Integer),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("class_id", sa.Integer),
        sa.Column("head", sa.String),
        sa.Column("confidence", sa.Double),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_source"),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], name="fk_source_photo_id_photo"),
        sa.ForeignKeyConstraint(["class_id"], ["class.id"], name="fk_source_class_id_class"),
    )
    op.create_index("ix_source_photo_id", "source", ["photo_id"])
    op.create_table(
        "tile",
        sa.Column("photo_id", sa.Integer, nullable=False),
        sa.Column("row", sa.Integer, nullable=False),
        sa.Column("column", sa.Integer, nullable=False),
        sa.Column("ids", sa.LargeBinary, nullable=False),
        sa.Column("sources", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("photo_id", "row", "column", name="pk_tile"),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], name="fk_tile_photo_id_photo"),
    )
    op.create_table(
        "edit",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("photo_id", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("operation", sa.JSON, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("x0", "y0", "x1", "y1")),
        sa.Column("changed", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("before", sa.LargeBinary),
        sa.Column("after", sa.LargeBinary),
        *(sa.Column(name, sa.Integer) for name in ("undo_parent", "redo_parent", "target")),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_edit"),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], name="fk_edit_photo_id_photo"),
    )
    op.create_index("ix_edit_photo_revision", "edit", ["photo_id", "revision"], unique=True)
