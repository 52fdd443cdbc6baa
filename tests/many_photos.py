"""Projects of thousands of photos in a second: rows and hard links that copy the first photo under other names."""

import hashlib
import os
import sqlite3
from pathlib import Path


def multiply(folder: Path, count: int) -> None:
    """Let the project in `folder`, which has one photo, have `count`: equal files, named `p0_0001.jpg`, ..."""
    with sqlite3.connect(folder / "project.sqlite") as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(photo)") if row[1] != "id"]
        first = database.execute(f"SELECT {', '.join(columns)} FROM photo").fetchone()
        rows = []
        for number in range(1, count):
            sha256 = hashlib.sha256(str(number).encode()).hexdigest()
            changed = {"sha256": sha256, "name": f"p{number // 1000}_{number:04}.jpg"}
            rows.append([changed.get(column, value) for column, value in zip(columns, first, strict=True)])
            file = dict(zip(columns, first, strict=True))
            os.link(
                folder / "photos" / f"{file['sha256']}{file['suffix']}", folder / "photos" / f"{sha256}{file['suffix']}"
            )
        places = ", ".join("?" for _ in columns)
        database.executemany(f"INSERT INTO photo ({', '.join(columns)}) VALUES ({places})", rows)
    database.close()
