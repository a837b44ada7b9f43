"""Devices are chosen by name, and those that are not there are refused."""

import pytest
import torch

from procscope.workbench.devices import choose_device


def test_the_cpu_is_always_there():
    assert choose_device("cpu") == torch.device("cpu")


def test_auto_takes_cuda_where_there_is_one():
    assert choose_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_device("auto") == choose_device()


@pytest.mark.parametrize("name", ["gpu", "", "cpuu", "cuda:x"])
def test_an_unknown_device_is_refused_with_those_that_exist(name):
    with pytest.raises(ValueError, match="expected a device such as auto, cpu, cuda"):
        choose_device(name)


@pytest.mark.parametrize("name", ["cuda:97", "meta"])
def test_a_device_that_this_machine_lacks_is_refused(name):
    with pytest.raises(ValueError, match=f"this machine has no device '{name}'; it has cpu"):
        choose_device(name)
