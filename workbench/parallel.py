"""Run independent work on several processes: cache blocks, sweep members, seeds, shuffles.

    for index, row in parallel_map(measure, levels, workers=2, description="levels"):
        rows[index] = row

Results come as they are finished, each with the index of its item, so that the caller can write them to disk
one by one. Every item runs with one thread for torch and BLAS, also when there is one worker: the same item
then gives the same bits however many workers there are (and small networks run faster that way on few cores).

Processes are joblib's (loky). Starting them costs 2–3 s, most of it importing torch, and every item is
pickled with the function: hand over paths and names, not large arrays.

`backend="ray"` sends the same calls to a Ray cluster: the one that this process is connected to (`ray.init`), or
that `RAY_ADDRESS` names, or else a new one of this machine alone. Every item is a task of one CPU; what was running on
a node that dies is run again on another, up to `RETRIES` times. Paths must mean the same on every node.
"""

import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar, cast

import joblib
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from procscope.workbench.plugins import suggest

Item = TypeVar("Item")
Result = TypeVar("Result")

BACKENDS = ("processes", "ray")
RETRIES = 3
"""Times that an item is run again whose node died."""


def parallel_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int = 1,
    backend: str = "processes",
    description: str = "",
) -> Iterator[tuple[int, Result]]:
    """Yield (index, `function(item)`) for every item as it is finished; indices count from 0, as in `enumerate`.

    With one worker on `processes`, items run in this process, in order, each when it is asked for. Otherwise
    `workers` run at a time, in any order. With a `description`, a progress bar shows the rate and the time
    left (in a terminal only). An error in an item is raised here and stops the rest; so do Ctrl-C and leaving
    the loop.

    Raises ValueError: fewer than one worker, an unknown backend, or `ray` where Ray is not installed.
    """
    items = list(items)
    if workers < 1:
        raise ValueError(f"expected at least 1 worker, given {workers}")
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend {backend!r}. {suggest(backend, BACKENDS)}")
    if backend == "ray":
        finished = _run_on_ray(_ray(), workers, function, items)
    elif min(workers, len(items)) <= 1:
        finished = (_run(function, index, item) for index, item in enumerate(items))
    else:
        finished = _run_elsewhere(workers, function, items)
    return _with_progress(finished, len(items), description)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and BLAS use one thread inside the block; what they used before is restored after it."""
    import torch  # takes two seconds, which only those who run something pay

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)


def _run(function: Callable[[Item], Result], index: int, item: Item) -> tuple[int, Result]:
    with one_thread():
        return index, function(item)


def _run_elsewhere(
    workers: int, function: Callable[[Item], Result], items: Sequence[Item]
) -> Iterator[tuple[int, Result]]:
    with joblib.parallel_config(backend="loky", n_jobs=workers, inner_max_num_threads=1):
        run = joblib.Parallel(return_as="generator_unordered", batch_size=cast(Any, 1))
    calls = (joblib.delayed(_run)(function, index, item) for index, item in enumerate(items))
    results = cast(Generator[tuple[int, Result]], run(calls))
    try:
        for one in results:  # noqa: UP028 (a `yield from` would close it with joblib's warning)
            yield one
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # who leaves the loop means to cancel the rest
            results.close()


def _ray() -> Any:
    """Ray, connected to a cluster. Raises ValueError: it is not installed."""
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ValueError(
            "backend 'ray' needs Ray, which is not installed. Run `pip install 'procscope[ray]'`, "
            "or use backend 'processes'"
        ) from None
    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    return ray


def _run_on_ray(
    ray: Any, workers: int, function: Callable[[Item], Result], items: Sequence[Item]
) -> Iterator[tuple[int, Result]]:
    """At most `workers` tasks at a time; an item's own error is raised as it is, and not tried again."""
    task = ray.remote(num_cpus=1, max_retries=RETRIES, retry_exceptions=False)(_run)
    left = iter(enumerate(items))
    running = [task.remote(function, index, item) for index, item in islice(left, workers)]
    try:
        while running:
            done, running = ray.wait(running, num_returns=1)
            try:
                result = ray.get(done[0])
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error
            running += [task.remote(function, index, item) for index, item in islice(left, 1)]
            yield result
    finally:
        for one in running:
            ray.cancel(one, force=True)


def _with_progress(
    finished: Iterator[tuple[int, Result]], total: int, description: str
) -> Iterator[tuple[int, Result]]:
    with tqdm(total=total, desc=description, disable=None if description else True) as bar:
        for one in finished:
            bar.update()
            yield one
