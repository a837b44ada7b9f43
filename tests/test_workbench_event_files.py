"""Event files hold the very bytes that PyTorch's SummaryWriter writes, and only ever grow."""

from pathlib import Path

import pytest

from procscope.workbench.event_files import Scalar, write_events

POINTS = [Scalar("train/loss", 7, 0.25, 1700000000.5), Scalar("a", 300, -3.5, 1700000001.0)]

#: The records of those points as torch 2.13 with tensorboard 2.21 wrote them: SummaryWriter.add_scalar.
WRITTEN_BY_TORCH = (
    "200000000000000029eda9500900002040fc54d94110072a130a110a0a747261696e2f6c6f7373150000803e27fcc89b",
    "1800000000000000a37f4b220900004040fc54d94110ac022a0a0a080a016115000060c037cb8624",
)


def test_records_are_those_of_torch(tmp_path: Path):
    content = write_events(tmp_path, POINTS).read_bytes()
    assert content.endswith(b"".join(bytes.fromhex(record) for record in WRITTEN_BY_TORCH))
    assert b"brain.Event:2" in content[:60], "the format's version comes first"


def test_more_points_are_added_at_the_end(tmp_path: Path):
    path = write_events(tmp_path, POINTS[:1])
    reader = path.open("rb")
    before = reader.read()
    write_events(tmp_path, POINTS)
    assert reader.read(), "a reader that has the file open sees what is added"
    assert path.read_bytes().startswith(before)
    write_events(tmp_path, POINTS)
    assert path.read_bytes().count(b"train/loss") == 1


def test_a_file_of_another_run_is_replaced(tmp_path: Path):
    write_events(tmp_path, [Scalar("old", 1, 1.0, 5.0)])
    content = write_events(tmp_path, POINTS).read_bytes()
    assert b"old" not in content
    assert b"train/loss" in content


def test_tensorboard_reads_them(tmp_path: Path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    write_events(tmp_path, POINTS)
    events = accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value, event.wall_time) for event in events.Scalars("train/loss")] == [
        (7, 0.25, 1700000000.5)
    ]
