"""What people are told of errors: one line that a terminal can show, and nothing of theirs in the log."""

import os

import pytest

from textseg.cli import main
from textseg.errors import DatasetError, explain, spelt_out, traced

HOSTILE = "a\x1b[31m\nb\u2028.png"


def test_control_and_half_characters_are_spelt_out():
    assert spelt_out("é 猫 👩‍🔬") == "é 猫 👩‍🔬"
    assert spelt_out("\x1b[31m\n\ud800\u2028") == r"\x1b[31m\n\ud800\u2028"
    assert str(DatasetError(f"there is no {HOSTILE}.")) == r"there is no a\x1b[31m\nb\u2028.png."
    assert explain(OSError(2, "No such file", HOSTILE)).count("\n") == 0


def test_a_trace_says_where_and_not_what():
    with pytest.raises(ValueError) as error:
        int("what somebody wrote")
    assert traced(error.value).startswith("ValueError < test_errors.py") and "somebody" not in traced(error.value)


@pytest.mark.skipif(os.name == "nt", reason="no such names there")
def test_the_command_line_prints_no_control_character_of_a_files_name(tmp_path, capsys):
    (tmp_path / HOSTILE).write_bytes(b"no photo")
    assert main(["project", "new", str(tmp_path / "p"), "--words", "cat"]) == 0
    assert main(["project", "add", str(tmp_path / "p"), str(tmp_path / HOSTILE)]) == 2
    printed = capsys.readouterr()
    assert "\x1b" not in printed.err + printed.out and r"a\x1b[31m\nb" in printed.err
