"""Pixels are counted by photo, class and author; those of label maps that are there are counted once, tile by tile."""

import zlib
from collections import Counter

import numpy as np
import sqlalchemy as sa
from alembic import op

from textseg.project.counts import tally

revision = "0004"
down_revision = "0003"

PIXELS = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "pixel_count",
        sa.Column("photo_id", sa.Integer, nullable=False),
        sa.Column("class_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("pixels", PIXELS, nullable=False),
        sa.PrimaryKeyConstraint("photo_id", "class_id", "kind", name="pk_pixel_count"),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], name="fk_pixel_count_photo_id_photo"),
    )
    op.add_column("source", sa.Column("pixels", PIXELS, nullable=False, server_default="0"))
    op.create_index("ix_source_head", "source", ["head"])
    connection = op.get_bind()
    for (photo_id,) in connection.execute(sa.text("SELECT id FROM photo")).all():
        _count(connection, photo_id)


def _count(connection: sa.Connection, photo_id: int) -> None:
    this = {"photo": photo_id}
    kinds = dict(connection.execute(sa.text("SELECT id, kind FROM source WHERE photo_id = :photo"), this).all())
    by_kind, by_source = Counter[tuple[int, str]](), Counter[int]()
    for ids, sources in connection.execute(sa.text("SELECT ids, sources FROM tile WHERE photo_id = :photo"), this):
        try:
            pixels = np.frombuffer(zlib.decompress(ids), np.uint16)
            found = tally(pixels, np.frombuffer(zlib.decompress(sources), np.uint32))
        except (zlib.error, ValueError):
            continue  # a damaged tile is named when somebody opens its photo
        for (class_id, source), number in found.items():
            if source in kinds:
                by_kind[class_id, kinds[source]] += number
                by_source[source] += number
    rows = [{**this, "class": k, "kind": kind, "pixels": number} for (k, kind), number in by_kind.items()]
    if rows:
        insert = "INSERT INTO pixel_count (photo_id, class_id, kind, pixels) VALUES (:photo, :class, :kind, :pixels)"
        connection.execute(sa.text(insert), rows)
        change = sa.text("UPDATE source SET pixels = :pixels WHERE id = :source")
        connection.execute(change, [{"source": source, "pixels": number} for source, number in by_source.items()])
