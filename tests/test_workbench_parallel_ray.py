"""The parallel map on a Ray cluster of two nodes on this machine, of which one dies on the way."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from procscope.workbench.parallel import parallel_map

pytestmark = pytest.mark.slow
os.environ.setdefault(
    "RAY_raylet_start_wait_time_s", "300"
)  # read at import; a busy machine needs more than 30
ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple]:
    """A cluster with a head node and another, one CPU each, and that other node."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = made.add_node(num_cpus=1)
    ray.init(address=made.address, log_to_driver=False)
    yield made, second
    ray.shutdown()
    made.shutdown()


def test_an_items_error_is_raised_here(cluster: tuple) -> None:
    def broken(item: int) -> int:
        raise ValueError(f"no {item}")

    with pytest.raises(ValueError, match="no 3"):
        list(parallel_map(broken, [3], backend="ray", workers=2))


def test_what_a_dead_node_was_doing_is_done_again(cluster: tuple, tmp_path: Path) -> None:
    made, second = cluster

    def square(item: int) -> int:
        node = ray.get_runtime_context().get_node_id()
        (tmp_path / f"{item}-{node}-{time.time_ns()}").touch()
        time.sleep(1.5)
        return item * item

    found: dict[int, int] = {}
    removed = False
    for index, value in parallel_map(square, range(20), workers=2, backend="ray"):
        assert index not in found
        found[index] = value
        workers = {path.name.split("-")[1] for path in tmp_path.iterdir()}
        if len(workers) == 2 and not removed:  # starting a worker takes a while
            made.remove_node(second, allow_graceful=False)
            removed = True
    assert found == {item: item * item for item in range(20)}
    begun = [path.name.split("-") for path in tmp_path.iterdir()]
    assert {parts[1] for parts in begun} == {node["NodeID"] for node in ray.nodes()}  # both worked
    times = Counter(parts[0] for parts in begun)
    assert max(times.values()) == 2  # what was begun on the node that died was begun again on the other
