"""What an import reads with suspicion: paths, zips, JSON, values. Each refusal names file, field and value."""

import json
import stat
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textseg.errors import DatasetError, brief
from textseg.formats import archives
from textseg.formats import source as reading
from textseg.formats.archives import unzip
from textseg.formats.filenames import portable, same, unique_stems
from textseg.formats.source import Source
from textseg.formats.values import a_name, a_number, an_id, natural, points

NAN = float("nan")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data" / "annotations").mkdir(parents=True)
    return Source(tmp_path / "data")


@pytest.mark.parametrize(
    "path",
    ["../up.jpg", "a/../../up.jpg", "/etc/passwd", "\\etc\\passwd", "C:\\x.jpg", "c:x.jpg", "..\\..\\x", "", "a\0b"],
)
def test_a_path_that_leaves_the_folder_is_refused(folder, path):
    with pytest.raises(DatasetError, match="a.json: images\\[0\\].file_name"):
        folder.inside(path, "a.json: images[0].file_name")


def test_a_path_may_climb_within_the_folder(folder):
    beside = folder.inside("../images/a b.jpg", "x", folder.root / "annotations")
    assert beside == folder.root / "images" / "a b.jpg"
    assert folder.inside("sub\\é 猫.jpg", "x") == folder.root / "sub" / "é 猫.jpg"


def zipped(path, *entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["../evil.txt", "/abs.txt", "a/../../evil.txt", "..\\evil.txt", "C:/evil.txt"])
def test_a_zip_that_leads_elsewhere_is_refused_whole(tmp_path, name):
    path = zipped(tmp_path / "a.zip", ("good.txt", "x"), (name, "x"))
    (tmp_path / "out").mkdir()
    with pytest.raises(DatasetError, match="a.zip: the entry .* leads out of the zip"):
        unzip(path, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == [] and not (tmp_path / "evil.txt").exists()


def test_links_twins_and_bombs_in_a_zip_are_refused(tmp_path, monkeypatch):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(DatasetError, match="is a link"):
        unzip(zipped(tmp_path / "l.zip", (link, "/etc/passwd")), tmp_path)
    with pytest.raises(DatasetError, match="'A.TXT' is in it twice"):
        unzip(zipped(tmp_path / "t.zip", ("a.txt", "1"), ("A.TXT", "2")), tmp_path)
    monkeypatch.setattr(archives, "SPARE_DISK", 2**60)
    with pytest.raises(DatasetError, match="s.zip would unpack to 1 bytes, and the disk has"):
        unzip(zipped(tmp_path / "s.zip", ("a.txt", "1")), tmp_path)
    monkeypatch.setattr(archives, "MAX_ZIP_RATIO", 2)
    with pytest.raises(DatasetError, match="1 files and 4,194,304 bytes: too much"):
        unzip(zipped(tmp_path / "b.zip", ("zeros", bytes(2**22))), tmp_path)


def test_a_torn_zip_is_one_sentence(tmp_path):
    path = zipped(tmp_path / "a.zip", ("a.txt", "hello" * 100))
    path.write_bytes(path.read_bytes()[:60] + path.read_bytes()[70:])
    with pytest.raises(DatasetError, match="a.zip"):
        unzip(path, tmp_path)


def test_whatever_a_torn_zip_makes_the_unpackers_raise_is_one_sentence(tmp_path):
    whole = zipped(tmp_path / "a.zip", ("a.txt", "hello" * 1000)).read_bytes()
    for torn in (whole.replace(b"a.txt", b"\0" + b"a" * 4), whole[:45] + b"\xff" * 4 + whole[49:]):
        (tmp_path / "a.zip").write_bytes(torn)
        with pytest.raises(DatasetError, match="a.zip"):
            unzip(tmp_path / "a.zip", tmp_path)


def test_a_json_bomb_is_refused_before_it_is_parsed(folder, monkeypatch):
    path = folder.root / "a.json"
    path.write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(DatasetError, match="a.json is nested 100,000 levels deep; the limit is 64"):
        folder.json(path)
    monkeypatch.setattr(reading, "MAX_JSON_BYTES", 10)
    path.write_text("[1, 2, 3, 4, 5]")
    with pytest.raises(DatasetError, match="a.json has 15 bytes; the limit is 10"):
        folder.json(path)


def test_brackets_inside_text_are_no_nesting(folder):
    path = folder.root / "a.json"
    for value in ("[" * 200, '\\" [[' * 100, "]" * 200):
        path.write_text(json.dumps({"a": value}))
        assert folder.json(path) == {"a": value}


@pytest.mark.parametrize("text", ["", "{", '{"a": 1,}', "nope", "\x00", '{"a": ' + "9" * 5000 + "}"])
def test_what_is_no_json_is_one_sentence(folder, text):
    path = folder.root / "a.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match="a.json is not JSON"):
        folder.json(path)
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(DatasetError, match="a.json is not UTF-8"):
        folder.json(path)


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (a_number, float("nan")), (a_number, float("inf")), (a_number, "3"), (a_number, True), (a_number, 10**400),
        (an_id, -1), (an_id, 1.5), (an_id, None), (an_id, True), (an_id, 2**70), (a_name, ""), (a_name, 3),
        (a_name, "x" * 201), (a_name, "a\x00b"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_named(check, value):
    with pytest.raises(DatasetError, match=r"a\.json: field is "):
        check(value, "a.json: field")


@pytest.mark.parametrize(
    ("given_points", "says"),
    [
        ([1, 2, 3], "3 coordinates"), ([[1, 2], [3]], r"p\[1\] is \[3\]"), ([[1, 2], [NAN, 4]], r"p\[1\].x is nan"),
        ([1, 2, 3, 4], "2 points; at least 3"), ("abc", "must be a list"), ([1, 2, 3, 4, 5, 1e300], r"p\[2\].y is 1e"),
    ],
)  # fmt: skip
def test_points_that_are_none_are_named(given_points, says):
    with pytest.raises(DatasetError, match=says):
        points(given_points, "p", 3)


@given(names=st.lists(st.text(max_size=60), max_size=12))
def test_stems_fit_every_file_system_and_never_clash(names):
    stems = unique_stems([name + ".png" for name in names])
    assert len({same(stem) for stem in stems}) == len(names)
    for stem in stems:
        assert stem and len(stem.encode()) < 200 and not set(stem) & set('<>:"/\\|?*\0\n') and stem == stem.strip(" .")


def test_reserved_names_of_windows_are_changed_and_others_kept():
    assert [portable(name) for name in ("CON", "nul", "com1.tar", "LPT9", "Console")] == [
        "_CON", "_nul", "_com1.tar", "_LPT9", "Console",
    ]  # fmt: skip
    assert portable("été 猫 🐈‍⬛") == "été 猫 🐈‍⬛"


@given(value=st.recursive(st.text(max_size=6) | st.integers(), lambda inner: st.lists(inner, max_size=2), max_leaves=8))
def test_brackets_in_strings_are_no_nesting(value):
    reading._check_nesting(json.dumps([value, '[[[[\\"[[{', "\\"], ensure_ascii=False).encode(), "a.json")
    with pytest.raises(DatasetError, match="nested"):
        reading._check_nesting(json.dumps([value, "]"]).encode() + b"[" * 70, "a.json")


def test_a_long_run_without_structure_is_read_once(folder):
    for content in (b'{"a": "' + b'\\"' * 500_000, b'"\\' * 500_000, b'"' + b"\\" * 1_000_001):
        (folder.root / "a.json").write_bytes(content)
        with pytest.raises(DatasetError, match="is not JSON"):
            folder.json(folder.root / "a.json")


def test_yaml_that_stands_for_more_than_it_is_long_is_refused(folder):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    (folder.root / "data.yaml").write_text("\n".join(lines))
    with pytest.raises(DatasetError, match="data.yaml is not YAML .*aliases"):
        folder.yaml(folder.root / "data.yaml")
    (folder.root / "data.yaml").write_text("x" * 2**19)
    with pytest.raises(DatasetError, match="the limit is"):
        folder.yaml(folder.root / "data.yaml")


def test_a_value_is_shown_without_being_written_out_whole():
    value: list = []
    for _ in range(60):
        value = [value] * 9
    assert len(brief(value)) <= 60
    assert len(brief(10**5000)) <= 60 and len(brief("x" * 10**7)) <= 60


@pytest.mark.parametrize("text", ["9" * 5000, "²", "٣", "-1", "1.0", "", None, 3])
def test_only_plain_digits_below_the_bound_are_a_number(text):
    assert natural(text, 2**31) is None
    assert natural("007", 8) == 7 and natural("8", 8) is None


def test_a_name_longer_than_a_file_can_have_is_refused(folder):
    with pytest.raises(DatasetError, match="longer than a file name"):
        folder.inside("a/" + "é" * 200 + ".jpg", "x")
