"""The on-disk cache: what is written is what is read, by us and by others; damage, resumption and misuse."""

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from procscope.activations.cache import ActivationCache
from procscope.activations.cache_format import ArraySpec, CacheSpec, differences
from procscope.activations.cache_verify import compare_caches, verify_cache
from procscope.activations.cache_writer import (
    BlockContents,
    open_for_writing,
    require_disk_space,
    write_block,
)
from procscope.workbench.checkpoints import weights_hash

SOURCE = {"model": {"name": "toy", "weights_hash": "a" * 64}, "seed": 3, "versions": {"torch": "2.13.0"}}


def make_spec(n_frames=25, block_frames=8, **source):
    arrays = {
        "activations/block1.conv": ArraySpec((3, 2, 2), "float16"),
        "activations/fc": ArraySpec((5,), "float32"),
        "frames": ArraySpec((4, 4, 3), "uint8"),
    }
    return CacheSpec(n_frames, block_frames, arrays, SOURCE | source)


def make_contents(spec, block):
    """What a block holds, from its number alone."""
    frames = spec.block_slice(block)
    n = frames.stop - frames.start
    rng = np.random.default_rng((3, block))
    arrays = {
        path: (rng.random((n, *array.shape)) * 200 - 90).astype(array.dtype)
        if array.dtype != "uint8"
        else rng.integers(0, 256, (n, *array.shape), dtype=np.uint8)
        for path, array in spec.arrays.items()
    }
    logits = pa.FixedSizeListArray.from_arrays(pa.array(rng.random(n * 4, np.float32)), 4)
    labels = pa.table(
        {
            "frame": np.arange(frames.start, frames.stop),
            "done": rng.random(n) < 0.3,
            "variant": pa.array(["no-cheese"] * n).dictionary_encode(),
            "logits": logits,
        }
    )
    return BlockContents(arrays, labels)


def build(directory, spec, blocks=None):
    with open_for_writing(directory, spec, command="build this") as writer:
        for block in writer.missing_blocks() if blocks is None else blocks:
            writer.commit(block, write_block(directory, spec, block, make_contents(spec, block)))


@pytest.fixture
def spec():
    return make_spec()


@pytest.fixture
def cache_dir(tmp_path, spec):
    build(tmp_path / "cache", spec)
    return tmp_path / "cache"


def everything(spec, path):
    return np.concatenate([make_contents(spec, b).arrays[path] for b in range(spec.n_blocks)])


def test_what_is_read_is_what_was_written(cache_dir, spec):
    cache = ActivationCache.open(cache_dir)
    assert len(cache) == 25
    assert cache.hook_points == ["block1.conv", "fc"]
    for name in cache.hook_points:
        expected = everything(spec, f"activations/{name}")
        array = cache.activations(name)
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array[:], expected)
        np.testing.assert_array_equal(array[6:19], expected[6:19])
    np.testing.assert_array_equal(cache.frames[:], everything(spec, "frames"))
    table = cache.labels(["frame", "logits"])
    assert table["frame"].to_pylist() == list(range(25))
    assert table.column_names == ["frame", "logits"]
    assert cache.label_columns == ["frame", "done", "variant", "logits"]
    assert cache.source == SOURCE
    assert cache.builds[0]["command"] == "build this"


def test_readable_without_this_project(cache_dir, spec):
    group = zarr.open_group(cache_dir, mode="r")
    np.testing.assert_array_equal(group["activations/fc"][:], everything(spec, "activations/fc"))
    frame = pd.read_parquet(cache_dir / "labels")
    assert sorted(frame["frame"]) == list(range(25))
    assert set(frame["variant"]) == {"no-cheese"}


def test_chunk_files_are_what_zarr_itself_would_write(cache_dir, spec, tmp_path):
    copy = zarr.create_array(
        tmp_path / "copy",
        shape=(25, 3, 2, 2),
        chunks=(8, 3, 2, 2),
        dtype="float16",
        compressors=zarr.codecs.ZstdCodec(level=1),
    )
    copy[:] = everything(spec, "activations/block1.conv")
    ours = cache_dir / "activations" / "block1.conv"
    files = [path.relative_to(ours) for path in ours.rglob("*") if path.is_file()]
    assert len(files) == 5
    for file in files:
        assert (ours / file).read_bytes() == (tmp_path / "copy" / file).read_bytes()


@given(
    batch_size=st.integers(1, 40),
    shuffle=st.none() | st.integers(0, 9),
    n_frames=st.integers(1, 40),
    block_frames=st.integers(5, 15),
    pool_bytes=st.sampled_from([1, 2000, 10**6]),
)
@settings(max_examples=10, deadline=None)
def test_batches_give_every_frame_once(
    tmp_path_factory, batch_size, shuffle, n_frames, block_frames, pool_bytes
):
    spec = make_spec(n_frames, block_frames)
    directory = tmp_path_factory.mktemp("cache")
    build(directory, spec)
    cache = ActivationCache.open(directory)
    fc, labels = everything(spec, "activations/fc"), cache.labels()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("procscope.activations.cache.POOL_BYTES", pool_bytes)
        batches = list(
            cache.batches(["fc"], ["frame", "logits", "done"], batch_size, shuffle, with_frames=True)
        )
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    index = np.concatenate([batch.index for batch in batches])
    assert sorted(index) == list(range(n_frames))
    if shuffle is None:
        assert list(index) == list(range(n_frames))
    logits = np.stack(labels["logits"].to_pylist()).astype(np.float32)
    for batch in batches:
        np.testing.assert_array_equal(batch.activations["fc"], fc[batch.index])
        np.testing.assert_array_equal(batch.labels["frame"], batch.index)
        np.testing.assert_array_equal(batch.labels["logits"], logits[batch.index])
        np.testing.assert_array_equal(batch.frames, everything(spec, "frames")[batch.index])


def test_shuffling_mixes_and_depends_on_the_seed_alone(cache_dir):
    cache = ActivationCache.open(cache_dir)

    def order(seed):
        return [tuple(batch.index) for batch in cache.batches(["fc"], batch_size=5, shuffle=seed)]

    assert order(1) == order(1) != order(2)
    assert max(order(1)[0]) - min(order(1)[0]) > 8, "frames of several blocks in one batch"


def test_a_cache_at_a_url(cache_dir, spec):
    remote = fsspec.filesystem("memory")
    remote.put(str(cache_dir), "/copied", recursive=True)
    try:
        cache = ActivationCache.open("memory://copied")
        np.testing.assert_array_equal(cache.activations("fc")[3:9], everything(spec, "activations/fc")[3:9])
        assert sum(len(batch) for batch in cache.batches(["fc"], ["done"])) == 25
    finally:
        remote.rm("/copied", recursive=True)
    with pytest.raises(ValueError, match="written to a local directory"):
        build("memory://copied", spec)


def test_order_and_interruption_of_writing_do_not_show(tmp_path, spec, cache_dir):
    build(tmp_path / "other", spec, blocks=[2, 0])
    with pytest.raises(ValueError, match=r"2 of its 4 blocks.*build this"):
        ActivationCache.open(tmp_path / "other")
    assert any("unfinished" in problem for problem in verify_cache(tmp_path / "other").problems)
    # What a killed writer leaves: a temporary file, and a file of a block that was not committed.
    (tmp_path / "other/labels/.part-000001.parquet.0123.writing").write_bytes(b"half")
    (tmp_path / "other/labels/part-000001.parquet").write_bytes(b"half")
    kept = (tmp_path / "other/labels/part-000002.parquet").stat().st_mtime_ns
    build(tmp_path / "other", spec)
    assert (tmp_path / "other/labels/part-000002.parquet").stat().st_mtime_ns == kept
    assert not list((tmp_path / "other").rglob("*.writing"))
    first, second = verify_cache(cache_dir), verify_cache(tmp_path / "other")
    assert first == second
    assert first.problems == ()
    assert compare_caches(cache_dir, tmp_path / "other") == []
    assert len(ActivationCache.open(tmp_path / "other").builds) == 2


def test_another_command_on_the_same_directory_is_refused(cache_dir):
    with pytest.raises(ValueError, match=r"seed was 3, now 4.*another directory"):
        build(cache_dir, make_spec(seed=4))
    with pytest.raises(ValueError, match="n_frames was 25, now 33"):
        build(cache_dir, make_spec(33))
    build(cache_dir, make_spec())
    assert len(ActivationCache.open(cache_dir).builds) == 1, "a finished cache is left alone"


def test_directories_with_other_things_are_refused(tmp_path, spec):
    (tmp_path / "thesis.tex").write_text("…")
    with pytest.raises(ValueError, match=r"holds thesis\.tex"):
        build(tmp_path, spec)
    with pytest.raises(ValueError, match="given the file"):
        build(tmp_path / "thesis.tex", spec)
    with pytest.raises(FileNotFoundError, match="procscope cache build"):
        ActivationCache.open(tmp_path / "nothing")
    zarr.create_group(tmp_path / "foreign")
    with pytest.raises(ValueError, match="procscope_cache"):
        ActivationCache.open(tmp_path / "foreign")


def test_one_writer_at_a_time(cache_dir, spec, tmp_path):
    with open_for_writing(tmp_path / "x", spec), pytest.raises(BlockingIOError, match="another process"):
        build(tmp_path / "x", spec)


def test_damage_is_found(cache_dir):
    sound = verify_cache(cache_dir)
    chunk = cache_dir / "activations/fc/c/1/0"
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.write_bytes(bytes(data))
    (cache_dir / "labels/part-000002.parquet").unlink()
    described = json.loads((cache_dir / "activations/fc/zarr.json").read_text())
    (cache_dir / "activations/fc/zarr.json").write_text(json.dumps(described | {"fill_value": 1.0}))
    found = verify_cache(cache_dir)
    assert found.contents_hash == sound.contents_hash
    assert len(found.problems) == 3
    for part in ("activations/fc/c/1/0", "part-000002.parquet", "activations/fc/zarr.json"):
        assert any(part in problem for problem in found.problems)


def test_compared_caches_name_what_differs(tmp_path, cache_dir):
    build(tmp_path / "other", make_spec(seed=4))
    assert compare_caches(cache_dir, tmp_path / "other") == ["source.seed was 4, now 3"]
    assert verify_cache(cache_dir).contents_hash != verify_cache(tmp_path / "other").contents_hash
    build(tmp_path / "new", make_spec(versions={"torch": "9"}))
    assert compare_caches(cache_dir, tmp_path / "new") == []


def test_another_models_cache_is_refused(tmp_path):
    torch.manual_seed(0)
    mine, other = nn.Linear(2, 2), nn.Linear(2, 2)
    hashes = [weights_hash(model.state_dict()) for model in (mine, other)]
    build(tmp_path / "c", make_spec(model={"name": "mine", "weights_hash": hashes[0]}))
    ActivationCache.open(tmp_path / "c", model=mine)
    ActivationCache.open(tmp_path / "c", model=hashes[0])
    with pytest.raises(ValueError, match=rf"{hashes[1]}.*{hashes[0]}"):
        ActivationCache.open(tmp_path / "c", model=other)


def test_unknown_names_suggest_the_nearest(cache_dir):
    cache = ActivationCache.open(cache_dir)
    with pytest.raises(ValueError, match=r"block1\.con'.*block1\.conv"):
        cache.activations("block1.con")
    with pytest.raises(ValueError, match=r"'don'.*done"):
        cache.labels(["don"])
    with pytest.raises(ValueError, match=r"'don'.*done"):
        cache.batches(["fc"], ["don"])
    with pytest.raises(ValueError, match="batch size"):
        cache.batches(["fc"], batch_size=0)


def test_wrong_contents_are_refused(tmp_path, spec):
    good = make_contents(spec, 0)
    for arrays in (
        {path: array[:-1] for path, array in good.arrays.items()},
        {path: array for path, array in good.arrays.items() if path != "frames"},
        good.arrays | {"activations/fc": good.arrays["activations/fc"].astype(np.float64)},
        good.arrays | {"activations/fc": good.arrays["activations/fc"][:, :4]},
    ):
        with pytest.raises(ValueError, match=r"expected at most|needs 8 rows"):
            write_block(tmp_path, spec, 0, BlockContents(arrays, good.labels))
    with pytest.raises(ValueError, match="block from 0 to 3"):
        write_block(tmp_path, spec, 4, good)


def test_too_little_room_is_said_before_anything_is_written(tmp_path):
    with pytest.raises(OSError, match=r"may need .* GB and the disk has"):
        build(tmp_path / "c", make_spec(n_frames=10**13))
    assert not (tmp_path / "c").exists()
    require_disk_space(tmp_path / "a" / "b", 1)


def test_a_disk_that_fills_up_leaves_the_committed_blocks(tmp_path):
    script = """
        import resource, signal, sys
        sys.path[:0] = PATHS
        from test_activations_cache import build, make_spec
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        build(TARGET, make_spec(2000, 1000), blocks=[0])
        resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))   # larger files fail as on a full disk
        build(TARGET, make_spec(2000, 1000))
    """
    target = str(tmp_path / "c")
    script = textwrap.dedent(script).replace("TARGET", repr(target))
    script = script.replace("PATHS", repr([str(Path(__file__).parent), *sys.path]))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "no room left on the disk" in done.stderr
    assert len(list((tmp_path / "c/blocks").glob("*.json"))) == 1
    build(target, make_spec(2000, 1000))
    assert verify_cache(target).problems == ()


def test_differences_name_the_place():
    assert differences({"a": {"b": 1}, "c": [1]}, {"a": {"b": 2}, "c": [1], "d": 0}) == [
        "a.b was 2, now 1",
        "d was 0, now None",
    ]


def test_a_cache_of_an_earlier_version_can_be_read(tmp_path):
    """Written by 0.1.0: `cache build --model maze-easy-topright --sample static --hooks fc --frames 12 --keep-frames`.

    It stays as it is; a version that cannot read it needs another format number.
    """
    shutil.unpack_archive(Path(__file__).parent / "data" / "cache_format_1.zip", tmp_path)
    assert verify_cache(tmp_path).contents_hash.startswith("395e9f3e")
    cache = ActivationCache.open(tmp_path)
    assert (len(cache), cache.hook_points) == (12, ["fc"])
    read = cache.activations("fc")[:]
    assert (read.shape, read.dtype) == ((12, 256), np.float16)
    assert read.sum(dtype=np.float64) == 5484.518310546875
    assert cache.frames[:].sum(dtype=np.int64) == 19704346
    labels = cache.labels().to_pandas()
    assert labels["level_seed"][0] == 1850624225
    assert labels["goal_x"].tolist() == [2, 0, 2, 3, 2, 10, 1, 4, 2, 0, 11, 4]
    assert labels["best_move"].tolist() == [4, 3, 3, 4, 4, 3, 4, 4, 4, 4, 3, 4]
    assert cache.source["model"]["weights_hash"].startswith("c3158563")
