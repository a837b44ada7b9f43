"""The block store survives kills, full disks and rival builders, and notices damage."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from procscope.workbench.blocks import BlockStore

BUILDER = '''
import hashlib, sys, time
from pathlib import Path
from procscope.workbench.atomic import write_bytes_atomically
from procscope.workbench.blocks import BlockStore

def write_block(root, block):
    """Two files whose bytes depend on the block's number alone."""
    files = {}
    for kind, size in (("arrays", 200_000), ("labels", 3_000)):
        data = hashlib.shake_256(f"{kind} {block}".encode()).digest(size)
        path = f"{kind}/c/{block}/0"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomically(root / path, data)
        files[path] = {"bytes": size, "sha256": hashlib.sha256(data).hexdigest()}
    return files

def build(root, blocks):
    store = BlockStore(root / "blocks")
    with store.lock():
        for block in sorted(set(range(blocks)) - store.committed()):
            store.commit(block, {"files": write_block(root, block), "frames": 512})

if __name__ == "__main__":
    root = Path(sys.argv[1])
    print("started", flush=True)
    build(root, int(sys.argv[2]))
'''


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    """The path of a script that builds a store, as a user's program would."""
    path = tmp_path_factory.mktemp("builder") / "builder.py"
    path.write_text(BUILDER)
    return path


def put(root, block, text="contents", frames=512):
    """Write one file and commit it as `block`; returns the file's path relative to the root."""
    name = f"labels/part-{block:06d}.txt"
    (root / "labels").mkdir(exist_ok=True)
    (root / name).write_text(text)
    entry = {"bytes": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}
    BlockStore(root / "blocks").commit(block, {"files": {name: entry}, "frames": frames})
    return name


def test_a_committed_block_is_found_again(tmp_path):
    store = BlockStore(tmp_path / "blocks")
    assert store.committed() == set()
    assert not (tmp_path / "blocks").exists()
    put(tmp_path, 3)
    put(tmp_path, 1_234_567)
    assert store.committed() == {3, 1_234_567}
    assert store.is_committed(3)
    assert not store.is_committed(4)
    assert store.record(3)["frames"] == 512
    assert store.verify() == []


def test_other_files_are_no_blocks(tmp_path):
    put(tmp_path, 0)
    (tmp_path / "blocks" / "notes.json").write_text("{}")
    (tmp_path / "blocks" / ".000001.json.0123.writing").write_text("{}")
    assert BlockStore(tmp_path / "blocks").committed() == {0}


def test_a_block_whose_files_are_not_there_cannot_be_committed(tmp_path):
    store = BlockStore(tmp_path / "blocks")
    entry = {"bytes": 5, "sha256": "0" * 64}
    with pytest.raises(ValueError, match=r"expected 5 bytes in .*part of block 2; it is missing"):
        store.commit(2, {"files": {"part": entry}})
    (tmp_path / "part").write_text("four")
    with pytest.raises(ValueError, match="it has 4"):
        store.commit(2, {"files": {"part": entry}})
    assert store.committed() == set()


@pytest.mark.parametrize("record", [{}, {"files": ["part"]}, {"files": {"part": {"bytes": 3}}}])
def test_a_record_without_files_is_refused(tmp_path, record):
    with pytest.raises(ValueError, match='expected a record with "files"'):
        BlockStore(tmp_path / "blocks").commit(0, record)


def test_committing_twice_is_harmless_and_committing_something_else_is_refused(tmp_path):
    put(tmp_path, 0)
    before = (tmp_path / "blocks" / "000000.json").stat()
    put(tmp_path, 0)
    after = (tmp_path / "blocks" / "000000.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    with pytest.raises(ValueError, match="committed already, with another record"):
        put(tmp_path, 0, frames=7)
    assert BlockStore(tmp_path / "blocks").record(0)["frames"] == 512


def test_an_uncommitted_or_impossible_block_has_no_record(tmp_path):
    store = BlockStore(tmp_path / "blocks")
    with pytest.raises(ValueError, match=r"block 4 .* is not committed\. Build it first"):
        store.record(4)
    with pytest.raises(ValueError, match="0 or more, given -1"):
        store.is_committed(-1)


def test_verify_names_every_kind_of_damage(tmp_path):
    names = [put(tmp_path, block) for block in range(5)]
    (tmp_path / names[1]).unlink()
    (tmp_path / names[2]).write_text("short")
    (tmp_path / names[3]).write_text("CONTENTS")
    (tmp_path / "blocks" / "000004.json").write_text('{"files": ')
    problems = BlockStore(tmp_path / "blocks").verify()
    assert [(problem.block, problem.path) for problem in problems] == [
        (1, names[1]),
        (2, names[2]),
        (3, names[3]),
        (4, "blocks/000004.json"),
    ]
    said = [str(problem) for problem in problems]
    assert said[0] == f"block 1: {names[1]}: it is missing"
    assert "5 bytes, not 8" in said[1]
    assert "changed since it was committed" in said[2]
    assert "Delete it and build the block again" in said[3]


def test_the_contents_hash_tells_contents_apart_and_nothing_else(tmp_path):
    roots = {name: tmp_path / name for name in ("forth", "back", "other", "fewer")}
    for root in roots.values():
        root.mkdir()
    for block in range(3):
        put(roots["forth"], block)
        put(roots["back"], 2 - block)
        put(roots["other"], block, text="contents" if block else "CONTENTS")
    put(roots["fewer"], 0)
    hashes = {name: BlockStore(root / "blocks").contents_hash() for name, root in roots.items()}
    assert hashes["forth"] == hashes["back"]
    assert len(set(hashes.values())) == 3


def test_a_second_builder_is_refused_until_the_first_has_ended(tmp_path):
    store, rival = BlockStore(tmp_path / "blocks"), BlockStore(tmp_path / "blocks")

    def build():
        with rival.lock():
            put(tmp_path, 0)

    with store.lock(), pytest.raises(BlockingIOError, match=rf"another process \({os.getpid()}\) is writing"):
        build()
    build()
    assert rival.committed() == {0}


def test_the_lock_clears_leftovers_and_only_those(tmp_path):
    put(tmp_path, 0)
    kept = [".hidden", "labels/notes.writing"]
    leftovers = ["labels/.part-000001.parquet.0123.writing", "blocks/.000001.json.0123.writing"]
    for name in kept + leftovers:
        (tmp_path / name).write_text("x")
    with BlockStore(tmp_path / "blocks").lock():
        pass
    assert all((tmp_path / name).exists() for name in kept)
    assert not any((tmp_path / name).exists() for name in leftovers)
    assert BlockStore(tmp_path / "blocks").verify() == []


def test_ten_kills_leave_a_store_that_finishes_as_if_undisturbed(tmp_path, builder):
    blocks = 60
    subprocess.run([sys.executable, builder, tmp_path / "calm", str(blocks)], check=True)
    root = tmp_path / "killed"
    store = BlockStore(root / "blocks")
    rng = random.Random(0)
    written_once = {}
    for _ in range(10):
        before = len(store.committed())
        child = subprocess.Popen([sys.executable, builder, root, str(blocks)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        # Let at least one new block be committed, so that ten kills fall on ten different places.
        while child.poll() is None and len(store.committed()) <= before:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.02))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert store.verify() == []
        for block in store.committed():
            for path in store.record(block)["files"]:
                written_once.setdefault(path, (root / path).stat().st_ino)
    assert 10 <= len(store.committed()) < blocks
    subprocess.run([sys.executable, builder, root, str(blocks)], check=True)
    assert all((root / path).stat().st_ino == inode for path, inode in written_once.items())
    calm = BlockStore(tmp_path / "calm" / "blocks")
    assert store.verify() == calm.verify() == []
    assert store.contents_hash() == calm.contents_hash()

    def files(root):
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    assert files(root) == files(tmp_path / "calm")


FULL_DISK = """
import resource, sys
from pathlib import Path
from procscope.workbench.blocks import BlockStore
store = BlockStore(Path(sys.argv[1]) / "blocks")
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))   # the kernel refuses larger files
with store.lock():
    store.commit(1, store.record(0) | {"notes": "n" * 10_000})
"""


def test_a_full_disk_leaves_the_store_as_it_was(tmp_path):
    put(tmp_path, 0)
    child = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True)
    last = child.stderr.strip().splitlines()[-1]
    assert last.startswith("OSError: ")
    assert "no room left on the disk" in last
    store = BlockStore(tmp_path / "blocks")
    assert store.committed() == {0}
    assert store.verify() == []
    assert sorted(os.listdir(tmp_path / "blocks")) == [".lock", "000000.json"]


def test_a_record_is_json_that_people_can_read(tmp_path):
    name = put(tmp_path, 0)
    record = json.loads((tmp_path / "blocks" / "000000.json").read_text())
    sha256 = hashlib.sha256(b"contents").hexdigest()
    assert record == {"files": {name: {"bytes": 8, "sha256": sha256}}, "frames": 512}
