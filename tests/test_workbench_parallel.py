"""The parallel map gives what a loop gives, whatever the number of workers, and stops when it should."""

import signal
import subprocess
import sys
import time

import pytest
import torch

from procscope.workbench.parallel import one_thread, parallel_map

SCRIPT = '''
import os, sys, time
from procscope.workbench.parallel import parallel_map

def measure(seed):
    """A sum whose last bits depend on the number of threads, with who computed it."""
    import torch
    x = torch.randn(300, 5000, generator=torch.Generator().manual_seed(seed))
    return float((x @ x.T).sum()), float(x.sum()), torch.get_num_threads(), os.getpid()

def fail(item):
    if item == 1:
        raise ValueError("item 1 is bad")
    time.sleep(0.05)
    return item

def wait(item):
    time.sleep(60)
'''

COMPARE = (
    SCRIPT
    + """
if __name__ == "__main__":
    import torch
    torch.set_num_threads(2)
    alone = dict(parallel_map(measure, range(6)))
    together = dict(parallel_map(measure, range(6), workers=2))
    assert sorted(alone) == sorted(together) == list(range(6))
    assert {i: one[:3] for i, one in alone.items()} == {i: one[:3] for i, one in together.items()}
    assert {one[2] for one in together.values()} == {1}
    assert {one[3] for one in alone.values()} == {os.getpid()}
    assert os.getpid() not in {one[3] for one in together.values()}
    assert torch.get_num_threads() == 2
    try:
        list(parallel_map(fail, range(4), workers=2))
    except ValueError as error:
        assert str(error) == "item 1 is bad"
    else:
        raise AssertionError("the error of an item was lost")
    start = time.perf_counter()
    for one in parallel_map(fail, [0] * 2000, workers=2):
        break
    del one
    assert time.perf_counter() - start < 30   # all of them would take 50 s
    print("as expected")
"""
)

INTERRUPT = (
    SCRIPT
    + """
if __name__ == "__main__":
    import signal
    # A shell starts what runs in its background deaf to Control-C, and so is every child of it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print("started", flush=True)
    try:
        list(parallel_map(wait, range(4), workers=2, description="waiting"))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""
)


def threads(item):
    return item * item, torch.get_num_threads()


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_alone_items_run_in_order_on_one_thread_when_asked_for():
    seen = []

    def watched(item):
        seen.append(item)
        return threads(item)

    finished = parallel_map(watched, (item for item in [3, 1, 2]))
    assert seen == []
    assert next(finished) == (0, (9, 1))
    assert seen == [3]
    assert torch.get_num_threads() == 2
    assert list(finished) == [(1, (1, 1)), (2, (4, 1))]
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_the_number_of_threads_is_restored_after_an_error():
    def fail(item):
        raise KeyError(item)

    with pytest.raises(KeyError):
        list(parallel_map(fail, [1]))
    assert torch.get_num_threads() == 2
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_no_items_give_no_results():
    assert list(parallel_map(threads, [], workers=4)) == []


def test_mistakes_are_refused_before_anything_runs():
    with pytest.raises(ValueError, match="at least 1 worker, given 0"):
        parallel_map(threads, [1], workers=0)
    with pytest.raises(ValueError, match=r"unknown backend 'process'\. Did you mean processes"):
        parallel_map(threads, [1], backend="process")


def test_ray_says_how_to_get_it_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.util.joblib", None)
    with pytest.raises(ValueError, match=r"pip install 'procscope\[ray\]'"):
        parallel_map(threads, [1], backend="ray")


@pytest.mark.slow
def test_workers_give_the_same_bits_and_errors_as_one_process(tmp_path):
    (tmp_path / "compare.py").write_text(COMPARE)
    child = subprocess.run([sys.executable, tmp_path / "compare.py"], capture_output=True, text=True)
    assert child.stdout == "as expected\n", child.stderr
    assert child.stderr == ""


@pytest.mark.slow
def test_control_c_stops_the_workers(tmp_path):
    (tmp_path / "interrupt.py").write_text(INTERRUPT)
    with subprocess.Popen(
        [sys.executable, tmp_path / "interrupt.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "started\n"
        time.sleep(6)  # the workers start
        child.send_signal(signal.SIGINT)
        start = time.perf_counter()
        out, err = child.communicate()
    assert out == "interrupted\n", err
    assert child.returncode == 0
    assert time.perf_counter() - start < 20
