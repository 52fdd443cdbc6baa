"""Hugging Face tables from strangers: only bytes inside the folder come in, whatever the rows name."""

import json
import socket
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textseg.errors import DatasetError
from textseg.formats import tables

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def table(photos: list, labels: list, **more: list) -> pa.Table:
    features = {name: {"_type": "Image"} for name in ("image", "label", *more)}
    columns = {"image": pa.array(photos, PICTURE), "label": pa.array(labels, PICTURE)}
    columns |= {name: pa.array(values, PICTURE) for name, values in more.items()}
    return pa.table(columns).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def cell(content: bytes | None = b"x", path: str | None = None) -> dict:
    return {"bytes": content, "path": path}


def rows_of(folder: Path, out: Path) -> list[tables.Row]:
    out.mkdir()
    return list(tables.unpack(folder, out)[1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    folder.mkdir()
    return folder


def test_cells_come_out_byte_for_byte(folder, tmp_path):
    pq.write_table(table([cell(b"photo", "a.png")], [cell(b"label")]), folder / "train-00000.parquet")
    (row,) = rows_of(folder, tmp_path / "out")
    assert (row.name, row.where, row.label_column) == ("a.png", "train row 0", "label")
    assert (tmp_path / "out" / (row.photo.file or "")).read_bytes() == b"photo"
    assert (tmp_path / "out" / (row.label.file or "")).read_bytes() == b"label"


@pytest.mark.parametrize(
    "address", ["/etc/passwd", "ftp://127.0.0.1:{port}/a", "http://127.0.0.1:{port}/a", "hf://a/b"]
)
def test_a_path_in_a_row_is_handed_on_and_nothing_is_opened(folder, tmp_path, address):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        address = address.format(port=server.getsockname()[1])
        other = table([cell()], [cell(None, address)], depth=[cell(None, address)])
        pq.write_table(other, folder / "train-00000.parquet")
        (row,) = rows_of(folder, tmp_path / "out")
        assert row.label == tables.Cell(None, address)
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("named", ["../../elsewhere", "/etc", "..", "a/b", "", 3])
def test_a_split_or_file_that_lies_elsewhere_is_refused(folder, tmp_path, named):
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": [named]}))
    with pytest.raises(DatasetError, match="no name inside the folder"):
        rows_of(folder, tmp_path / "one")
    (folder / "dataset_dict.json").unlink()
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": named}]}))
    with pytest.raises(DatasetError, match="no name inside the folder"):
        rows_of(folder, tmp_path / "two")


def test_a_few_kilobytes_that_stand_for_very_many_are_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MIN_UNPACKED", 2**20)
    large = bytes(2**18)
    pq.write_table(table([cell(large)] * 40, [cell(b"l")] * 40), folder / "train-00000.parquet", compression="zstd")
    assert 40 * len(large) > 100 * (folder / "train-00000.parquet").stat().st_size
    with pytest.raises(DatasetError, match="unpack to more than 100 times"):
        tables.write_rows(folder, tmp_path)


def test_rows_are_counted_before_they_are_read(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MAX_ROWS", 5)
    pq.write_table(table([cell()] * 6, [cell()] * 6), folder / "train-00000.parquet")
    with pytest.raises(DatasetError, match="more than 5 rows"):
        tables.write_rows(folder, tmp_path)
    assert not list(tmp_path.glob("*.photo"))


def test_a_forged_offset_is_one_sentence(folder, tmp_path):
    whole = table([cell(bytes(12_345))], [cell()])
    with pa.OSFile(str(folder / "data.arrow"), "wb") as file, pa.ipc.new_stream(file, whole.schema) as writer:
        writer.write_table(whole)
    content, end = (folder / "data.arrow").read_bytes(), (12_345).to_bytes(4, "little")
    assert end in content
    (folder / "data.arrow").write_bytes(content.replace(end, (2**30).to_bytes(4, "little")))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    with pytest.raises(DatasetError, match=r"\.$"):
        rows_of(folder, tmp_path / "out")


def test_a_reader_that_dies_is_one_sentence(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(tables.sys, "executable", "false")
    with pytest.raises(DatasetError, match="tables are damaged"):
        rows_of(folder, tmp_path / "out")
