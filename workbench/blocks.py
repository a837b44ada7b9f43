"""The block store: which blocks of a large output are finished, so that a kill loses one block at most.

A large output (an activation cache, transition data) is made in blocks, each a few files. A block counts once
its commit record is on disk, `<directory>/000012.json`, which holds the sizes and hashes of its files; the
record is written last, atomically, after the files were synced. So whatever kills a build, committed blocks
are whole, and the same command goes on with the rest:

    store = BlockStore(cache / "blocks")
    with store.lock():                                # one builder at a time; clears what a killed one left
        for block in sorted(set(range(n)) - store.committed()):
            files = write_block(block)                # {"labels/part-000012.parquet": {"bytes": …, "sha256": …}}
            store.commit(block, {"files": files, "frames": 512})

Use it where a block is large or has several files; for many small results use `members.py`. A commit costs
one sync per file (which costs next to nothing for a file that is synced already) and two for the record.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from procscope.workbench.atomic import is_temporary, sync_directory, sync_file, write_json_atomically

_RECORD_NAME = re.compile(r"(\d{6,})\.json")


class Problem(NamedTuple):
    """Something wrong with a committed block."""

    block: int
    path: str
    """The damaged file, relative to the store's root."""
    what: str

    def __str__(self) -> str:
        return f"block {self.block}: {self.path}: {self.what}"


class BlockStore:
    """The commit records in `directory` of blocks whose files lie under `root`: by default its parent.

    Making one touches nothing on disk. Reading needs no lock.
    """

    def __init__(self, directory: str | os.PathLike[str], root: str | os.PathLike[str] | None = None) -> None:
        self.directory = Path(directory)
        self.root = self.directory.parent if root is None else Path(root)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the one process that writes to the store; made with its directory when missing.

        Temporary files that a killed writer left anywhere under `root` are removed. The lock ends with the
        process, however it ends. Raises BlockingIOError: another process holds it.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / ".lock"
        with path.open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                raise BlockingIOError(
                    errno.EWOULDBLOCK,
                    f"another process ({file.read().strip() or 'unknown'}) is writing here. "
                    "Wait for it or stop it, then run the same command again",
                    os.fspath(self.root),
                ) from error
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            for leftover in self.root.rglob(".*"):
                if is_temporary(leftover):
                    leftover.unlink(missing_ok=True)
            yield

    def committed(self) -> set[int]:
        """The numbers of the blocks that are finished."""
        if not self.directory.is_dir():
            return set()
        names = (_RECORD_NAME.fullmatch(path.name) for path in self.directory.iterdir())
        return {int(name[1]) for name in names if name}

    def is_committed(self, block: int) -> bool:
        """Whether `block` is finished."""
        return self._path(block).is_file()

    def commit(self, block: int, record: dict[str, Any]) -> None:
        """Make `block` count. Its files must be in place; they are synced here before the record is written.

        `record["files"]` maps each file's path relative to `root` to its `bytes` and `sha256`; whatever else
        belongs to the block may stand beside it, as JSON data that depends on the block alone. Committing the
        same record twice does nothing.

        Raises ValueError: a file is missing or has another size, or the block has another record already.
        Raises OSError: the disk is full; the block is then not committed and the store as it was.
        """
        for path, expected in _files(record).items():
            file = self.root / path
            size = file.stat().st_size if file.is_file() else None
            if size != expected["bytes"]:
                found = "it is missing" if size is None else f"it has {size}"
                raise ValueError(
                    f"expected {expected['bytes']} bytes in {file} of block {block}; {found}. Write it first"
                )
            sync_file(file)
        if self.is_committed(block):
            if self.record(block) != json.loads(json.dumps(record)):
                raise ValueError(
                    f"block {block} in {self.directory} is committed already, with another record"
                )
            return
        for folder in sorted({folder for path in record["files"] for folder in Path(path).parents}):
            sync_directory(self.root / folder)
        self.directory.mkdir(parents=True, exist_ok=True)
        write_json_atomically(self._path(block), record)

    def record(self, block: int) -> dict[str, Any]:
        """The record that `block` was committed with. Raises ValueError: not committed, or unreadable."""
        path = self._path(block)
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            _files(record)
        except FileNotFoundError:
            raise ValueError(f"block {block} in {self.directory} is not committed. Build it first") from None
        except ValueError as error:
            raise ValueError(f"{path} is damaged ({error}). Delete it and build the block again") from error
        return record

    def verify(self) -> list[Problem]:
        """Read every file of every committed block again and compare; an empty list means all is well."""
        problems = []
        for block in tqdm(sorted(self.committed()), desc="verifying", unit="block", disable=None):
            try:
                record = self.record(block)
            except ValueError as error:
                problems.append(Problem(block, os.path.relpath(self._path(block), self.root), str(error)))
                continue
            for path, expected in record["files"].items():
                what = _difference(self.root / path, expected)
                if what:
                    problems.append(Problem(block, path, what))
        return problems

    def contents_hash(self) -> str:
        """SHA-256 over the committed blocks' numbers and records: equal for stores with equal contents."""
        records = [[block, self.record(block)] for block in sorted(self.committed())]
        return hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()

    def _path(self, block: int) -> Path:
        if block < 0:
            raise ValueError(f"expected a block's number, 0 or more, given {block}")
        return self.directory / f"{block:06d}.json"


def _files(record: Any) -> dict[str, dict[str, Any]]:
    """The files that a record names; refused where it names none in the agreed form."""
    files = record.get("files") if isinstance(record, dict) else None
    if not isinstance(files, dict) or not all(
        isinstance(entry, dict) and {"bytes", "sha256"} <= entry.keys() for entry in files.values()
    ):
        raise ValueError(
            f'expected a record with "files": {{path: {{"bytes", "sha256"}}}}, given {record!r:.200}'
        )
    return files


def _difference(path: Path, expected: dict[str, Any]) -> str:
    """How the file at `path` differs from what its record says; empty where it does not."""
    if not path.is_file():
        return "it is missing"
    size = path.stat().st_size
    if size != expected["bytes"]:
        return f"it has {size} bytes, not {expected['bytes']}"
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return "" if found == expected["sha256"] else "its contents have changed since it was committed"
