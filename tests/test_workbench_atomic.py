"""Files are written whole or not at all, whatever goes wrong."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from procscope.workbench.atomic import (
    atomic_replacement,
    is_temporary,
    write_bytes_atomically,
    write_json_atomically,
)


def test_replaces_the_file_and_leaves_nothing_else(tmp_path):
    target = tmp_path / "weights.bin"
    write_bytes_atomically(target, b"old")
    write_bytes_atomically(str(target), b"new")
    assert target.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["weights.bin"]


def test_an_error_while_writing_keeps_the_old_file(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")

    def write_half():
        with atomic_replacement(target) as temporary:
            temporary.write_text("half of the n")
            assert is_temporary(temporary)
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        write_half()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_a_missing_directory_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        write_bytes_atomically(tmp_path / "nowhere" / "file", b"")
    assert raised.value.filename == str(tmp_path / "nowhere" / "file"), "not the temporary file's name"


def test_a_target_that_cannot_be_replaced_is_named(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError) as raised:  # noqa: PT011 (which kind depends on the system)
        write_bytes_atomically(tmp_path / "folder", b"")
    assert str(raised.value).endswith(f"{str(tmp_path / 'folder')!r}")
    assert os.listdir(tmp_path) == ["folder"]


def test_json_comes_back_as_it_was_with_numpy_scalars_and_paths_as_plain_values(tmp_path):
    target = tmp_path / "metrics.json"
    write_json_atomically(
        target, {"b": [1, 2.5, None], "a": np.int64(3), "f": np.float32(0.5), "p": Path("x/y"), "t": "é"}
    )
    text = target.read_text(encoding="utf-8")
    assert json.loads(text) == {"b": [1, 2.5, None], "a": 3, "f": 0.5, "p": "x/y", "t": "é"}
    assert list(json.loads(text)) == ["b", "a", "f", "p", "t"]
    assert "é" in text
    assert text.endswith("}\n")


@pytest.mark.parametrize(
    "value", [float("nan"), np.inf, np.float64("nan"), object(), np.zeros(2), {1, 2}, b"bytes"]
)
def test_json_refuses_what_json_lacks_and_keeps_the_old_file(tmp_path, value):
    target = tmp_path / "metrics.json"
    target.write_text("old")
    with pytest.raises(ValueError, match=r"expected values that JSON can hold for metrics\.json"):
        write_json_atomically(target, {"value": value})
    assert target.read_text() == "old"


def test_temporary_names_are_not_mistaken():
    assert is_temporary("a/.weights.bin.0123.writing")
    assert not any(map(is_temporary, ["weights.bin", "writing", ".hidden", "notes.writing"]))


FULL_DISK = """
import resource, sys
from procscope.workbench.atomic import write_bytes_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))   # the kernel refuses larger files
write_bytes_atomically(sys.argv[1], b"small")
write_bytes_atomically(sys.argv[1], bytes(100_000))
"""


def test_no_room_left_keeps_the_old_file_and_says_so(tmp_path):
    target = tmp_path / "weights.bin"
    child = subprocess.run([sys.executable, "-c", FULL_DISK, target], capture_output=True, text=True)
    last = child.stderr.strip().splitlines()[-1]
    assert last.startswith("OSError: ")
    assert "no room left on the disk" in last
    assert "Free some space" in last
    assert "weights.bin" in last
    assert target.read_bytes() == b"small"
    assert os.listdir(tmp_path) == ["weights.bin"]


KILLED = """
import sys, time
from procscope.workbench.atomic import atomic_replacement
with atomic_replacement(sys.argv[1]) as temporary:
    temporary.write_text("half of the n")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_a_kill_while_writing_keeps_the_old_file_and_a_leftover_that_is_known(tmp_path):
    target = tmp_path / "weights.bin"
    target.write_text("old")
    with subprocess.Popen([sys.executable, "-c", KILLED, target], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "writing\n"
        child.send_signal(signal.SIGKILL)
    assert target.read_text() == "old"
    (leftover,) = set(os.listdir(tmp_path)) - {"weights.bin"}
    assert is_temporary(leftover)
