"""A photo may be a frame of several films."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    with op.batch_alter_table("frame") as frame:
        frame.drop_constraint("pk_frame", type_="primary")
        frame.create_primary_key("pk_frame", ["photo_id", "film_id"])
