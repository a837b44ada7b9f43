"""How another code base names the weights of a network that is one of ours.

A layout is known by its names: a file fits it if, leaving out what the layout calls copies, it has those tensors and
no others. Sizes are read from the tensors, so any width fits. All known layouts compute what our network computes
from the same weights, order of units included: an import only renames.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor

#: What wrappers of PyTorch (several GPUs, `torch.compile`) put before every name.
WRAPPERS = ("module.", "_orig_mod.")


class Imported(NamedTuple):
    """A network of another code base as one of ours."""

    layout: str
    """Name of the layout that the file has."""
    architecture: str
    options: dict[str, Any]
    tensors: dict[str, Tensor]
    """State dict of the architecture with these options."""


@dataclass(frozen=True)
class Layout:
    """One code base's names for the weights of one architecture."""

    name: str
    source: str
    """The code base, and how to recognise its files."""
    architecture: str
    """Ours."""
    layers: Mapping[str, str]
    """Their name of each layer to ours; every layer has a weight and a bias."""
    options: Callable[[Mapping[str, Tensor]], dict[str, Any]]
    """The architecture's options from its tensors, by our names."""
    copies: Sequence[str] = ()
    """Beginnings of names of tensors that must equal those named by `copied_from` and the rest of the name."""
    copied_from: str = ""
    environment: dict[str, Any] = field(default_factory=dict)
    """What such networks play, where the layout tells it."""

    def fits(self, names: Sequence[str]) -> bool:
        """Whether a file with tensors of these names has this layout."""
        theirs = {f"{layer}.{kind}" for layer in self.layers for kind in ("weight", "bias")}
        return theirs == {name for name in names if not name.startswith(tuple(self.copies) or "\0")}

    def convert(self, tensors: Mapping[str, Tensor]) -> Imported:
        """The network of a file that fits.

        Raises ValueError: copies of a layer differ, so that the network has more parts than ours.
        """
        for name, tensor in tensors.items():
            for copy in self.copies:
                original = tensors.get(self.copied_from + name.removeprefix(copy))
                if name.startswith(copy) and not (original is not None and tensor.equal(original)):
                    raise ValueError(
                        f"{name} is not the same as {self.copied_from}{name.removeprefix(copy)}: policy and value "
                        f"each have layers of their own, which {self.architecture} has not. Only networks that "
                        "share them can be imported"
                    )
        renamed = {
            f"{ours}.{kind}": tensors[f"{theirs}.{kind}"]
            for theirs, ours in self.layers.items()
            for kind in ("weight", "bias")
        }
        return Imported(self.name, self.architecture, self.options(renamed), renamed)


def without_wrappers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with the wrappers' prefixes taken off, where all names have them."""
    for wrapper in WRAPPERS:
        if tensors and all(name.startswith(wrapper) for name in tensors):
            return without_wrappers({name.removeprefix(wrapper): value for name, value in tensors.items()})
    return dict(tensors)
