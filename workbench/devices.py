"""Choose the device that networks run on, by a word that a person types."""

import torch


def choose_device(name: str = "auto") -> torch.device:
    """The device called `name`: `cpu`, `cuda`, `cuda:1`, `mps`, or `auto` for CUDA if present, else the CPU.

    `auto` never picks `mps`: results there differ from the CPU's by more than rounding in some operations.

    Raises ValueError: PyTorch knows no such device, or this machine lacks it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(
            f"expected a device such as auto, cpu, cuda, cuda:1 or mps, given {name!r}"
        ) from error
    present = _present()
    if str(device) not in present:
        raise ValueError(
            f"this machine has no device {name!r}; it has {', '.join(present)}. Use auto to take the best"
        )
    return device


def _present() -> list[str]:
    """Names of the devices of this machine."""
    present = ["cpu"]
    if torch.cuda.is_available():
        present += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        present.append("mps")
    return present
