"""Is a cache what it was when it was built, and is it the same as another one?

When to use: after copying a cache, after a crash of the machine, or to see that two builds agree
(`procscope cache verify DIR OTHER`). Two caches are the same when their contents are: what the labels and
activations depend on (the source), and the bytes of every block. Commands, times, paths and versions of
libraries do not count.

Cost: reads every file once, about 500 MB/s.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from procscope.activations.cache_format import CacheSpec, differences, group_files
from procscope.workbench.blocks import BlockStore


@dataclass(frozen=True)
class Verification:
    """What reading a whole cache again found."""

    n_blocks: int
    """Blocks that the cache should have."""

    problems: tuple[str, ...]
    """One sentence each; none when all is well."""

    contents_hash: str
    """Equal for caches with equal contents, however they were built. Of the blocks that are there."""


def verify_cache(directory: str | Path) -> Verification:
    """Compare every file of a local cache with the hash it had when it was written.

    Raises:
        FileNotFoundError: there is no cache.
        ValueError: the group's attributes are not those of a cache.
    """
    directory = Path(directory)
    spec = read_spec(directory)
    store = BlockStore(directory / "blocks")
    committed = store.committed()
    problems = [str(problem) for problem in store.verify()]
    if missing := sorted(set(range(spec.n_blocks)) - committed):
        problems.append(
            f"unfinished: {len(missing)} of {spec.n_blocks} blocks are missing, the first is {missing[0]}"
        )
    for path, data in group_files(spec, []):
        file = directory / path
        if path != "zarr.json" and (not file.is_file() or file.read_bytes() != data):
            problems.append(f"{path} is missing or has changed")
    described = json.dumps([_comparable(spec), store.contents_hash()], sort_keys=True)
    return Verification(spec.n_blocks, tuple(problems), hashlib.sha256(described.encode()).hexdigest())


def compare_caches(directory: str | Path, other: str | Path) -> list[str]:
    """How the contents of two local caches differ, by their records; empty when they are the same."""
    first, second = read_spec(Path(directory)), read_spec(Path(other))
    found = differences(_comparable(first), _comparable(second))
    if found:
        return found
    stores = [BlockStore(Path(path) / "blocks") for path in (directory, other)]
    blocks = [store.committed() for store in stores]
    texts = [f"block {block} is in one cache only" for block in sorted(blocks[0] ^ blocks[1])]
    for block in sorted(blocks[0] & blocks[1]):
        mine, theirs = (store.record(block)["files"] for store in stores)
        texts += [f"{path} differs" for path in mine if mine[path] != theirs.get(path)]
    return texts


def read_spec(directory: Path) -> CacheSpec:
    """The spec of a local cache, finished or not.

    Raises FileNotFoundError or ValueError: no cache is there.
    """
    root = directory / "zarr.json"
    if not root.is_file():
        raise FileNotFoundError(f"there is no activation cache at {directory}")
    return CacheSpec.from_attributes(json.loads(root.read_text(encoding="utf-8")).get("attributes", {}))


def _comparable(spec: CacheSpec) -> dict:
    described = spec.as_attributes()
    described["source"] = {key: value for key, value in described["source"].items() if key != "versions"}
    return described
