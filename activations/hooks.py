"""Hook points: named places of a network where activations are read or replaced.

When to use: a network written here derives from `HookedNetwork`, puts a `HookPoint` at every
place worth reading and calls it in `forward`; any other `nn.Module` is wrapped by
`hook_modules(model, names)`. Both then offer the same `hook_points`, `hooks`, `run_with_hooks`
and `run_with_cache`.

    with network.hooks([("conv_out", zero_channel)]):
        network(frames)                        # the hook is gone after the block, whatever was raised
    output, activations = network.run_with_cache(frames, names_filter=["conv_out", "fc"])

Cost: a hook point without hooks is an identity module, about 1 us a call.

Source: names and behaviour follow TransformerLens' `HookPoint` and `HookedRootModule` (a hook is
`fn(activation, hook=point)`; what it returns, unless None, replaces the activation), so that
TransformerLens' own root module can drive these points. Two things differ on purpose: leaving a
`hooks` block removes the hooks of that block and no others, and a point that passes twice in one
forward pass is an error for `run_with_cache` rather than the last pass winning silently.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

Direction = Literal["fwd", "bwd"]


@runtime_checkable
class HookFunction(Protocol):
    """`fn(activation, hook=point)`: return None to look, a tensor to replace."""

    def __call__(self, activation: Tensor, /, *, hook: "HookPoint") -> Tensor | None: ...


NamesFilter = str | Sequence[str] | Callable[[str], bool] | None
"""Which hook points: a name, names, a predicate on names, or None for all."""


@dataclass(eq=False)
class HookHandle:
    """One attached hook; the fields are those of TransformerLens' `LensHandle`."""

    hook: RemovableHandle
    """PyTorch's handle of the wrapped hook."""

    is_permanent: bool = False
    """Kept by `HookPoint.remove_hooks` unless it is told otherwise."""

    context_level: int | None = None
    """Depth of the context manager that attached it, where that one counts levels."""

    user_hook: HookFunction | None = None
    """The function as the user gave it."""

    siblings: list["HookHandle"] = field(default_factory=list, repr=False)
    """The list of its hook point that shows it."""

    def remove(self) -> None:
        """Detach this hook alone. Doing so twice is harmless."""
        self.hook.remove()
        self.siblings[:] = [other for other in self.siblings if other is not self]


class HookPoint(nn.Module):
    """Identity module at a named place of a network.

    `watched` is for modules written elsewhere: the hooks then run on that module's output instead
    of on this point's own, and the point need not be called in any `forward`.
    """

    def __init__(self, watched: nn.Module | None = None):
        super().__init__()
        self.name: str | None = None
        self.fwd_hooks: list[HookHandle] = []
        self.bwd_hooks: list[HookHandle] = []
        self.ctx: dict[Any, Any] = {}
        # In a tuple, so that the watched module is no child of the point (and in no state dict twice).
        self._watched = () if watched is None else (watched,)

    def __repr__(self) -> str:
        return f"HookPoint(name={self.name!r}, fwd={len(self.fwd_hooks)}, bwd={len(self.bwd_hooks)})"

    def forward(self, activation: Tensor) -> Tensor:
        return activation

    def add_hook(
        self,
        hook: HookFunction,
        dir: Direction = "fwd",
        is_permanent: bool = False,
        level: int | None = None,
        prepend: bool = False,
    ) -> HookHandle:
        """Attach `hook` until its handle's `remove` (prefer `HookedNetwork.hooks`, which does that).

        Args:
            hook: `fn(activation, hook=point)`; a backward hook gets the gradient with respect to the
                activation. A returned tensor replaces it.
            dir: "fwd" for the activation, "bwd" for its gradient.
            is_permanent: survives `remove_hooks`.
            level: remembered on the handle (`remove_hooks(level=...)`).
            prepend: run before the hooks that are there already.

        Raises:
            ValueError: `dir` is neither; on the first pass, when a watched module's output is no tensor.
        """
        if dir not in ("fwd", "bwd"):
            raise ValueError(f"expected dir='fwd' or dir='bwd', got {dir!r}")
        module = self._watched[0] if self._watched else self

        def forward_hook(module: nn.Module, inputs: Any, output: Any) -> Tensor | None:
            if not isinstance(output, Tensor):
                raise ValueError(
                    f"hook point {self.name!r} needs a module whose output is one tensor; "
                    f"{type(module).__name__} gave {type(output).__name__}. Hook a module inside it instead."
                )
            return hook(output, hook=self)

        def backward_hook(module: nn.Module, grad_output: Any) -> tuple[Tensor] | None:
            replacement = hook(grad_output[0], hook=self)
            return replacement if replacement is None else (replacement,)

        if dir == "fwd":
            torch_handle = module.register_forward_hook(forward_hook, prepend=prepend)
        else:
            # Before the module's backward: a replacement then stands for the gradient of its *output*.
            torch_handle = module.register_full_backward_pre_hook(backward_hook, prepend=prepend)
        shown = self.fwd_hooks if dir == "fwd" else self.bwd_hooks
        handle = HookHandle(torch_handle, is_permanent, level, hook, shown)
        shown.insert(0 if prepend else len(shown), handle)
        return handle

    def add_perma_hook(self, hook: HookFunction, dir: Direction = "fwd") -> HookHandle:
        """Attach a hook that `remove_hooks` leaves in place."""
        return self.add_hook(hook, dir=dir, is_permanent=True)

    def remove_hooks(
        self,
        dir: Literal["fwd", "bwd", "both"] = "fwd",
        including_permanent: bool = False,
        level: int | None = None,
    ) -> None:
        """Remove every hook in that direction (of that level, where one is given)."""
        for handle in self._handles(dir, including_permanent, level):
            handle.remove()

    def has_hooks(
        self,
        dir: Literal["fwd", "bwd", "both"] = "both",
        including_permanent: bool = True,
        level: int | None = None,
    ) -> bool:
        """Whether any such hook is attached."""
        return bool(self._handles(dir, including_permanent, level))

    def clear_context(self) -> None:
        """Forget what hooks left in `ctx`."""
        self.ctx = {}

    def _handles(self, dir: str, including_permanent: bool, level: int | None) -> list[HookHandle]:
        if dir not in ("fwd", "bwd", "both"):
            raise ValueError(f"expected dir='fwd', 'bwd' or 'both', got {dir!r}")
        shown = (self.fwd_hooks if dir != "bwd" else []) + (self.bwd_hooks if dir != "fwd" else [])
        return [
            handle
            for handle in shown
            if (including_permanent or not handle.is_permanent)
            and (level is None or handle.context_level == level)
        ]


class HookedNetwork(nn.Module):
    """Base of the networks written here. A subclass ends its `__init__` with `self.setup()`.

    A hook point's name is its module path: `self.block1.conv = HookPoint()` is named "block1.conv".
    """

    def setup(self) -> None:
        """Find the hook points and give them their names. Call it again after replacing submodules."""
        self._points: dict[str, HookPoint] = {}
        for path, module in self.named_modules():
            if isinstance(module, HookPoint):
                module.name = path
                self._points[path] = module

    def hook_points(self) -> dict[str, HookPoint]:
        """Every hook point by name, in the order of definition."""
        if "_points" not in self.__dict__:
            self.setup()
        return dict(self._points)

    @contextmanager
    def hooks(
        self,
        fwd_hooks: Sequence[tuple[str | Callable[[str], bool], HookFunction]] = (),
        bwd_hooks: Sequence[tuple[str | Callable[[str], bool], HookFunction]] = (),
    ) -> Iterator["HookedNetwork"]:
        """Attach hooks for the length of a `with` block.

        Args:
            fwd_hooks: (name or predicate on names, hook function) pairs; these see activations.
            bwd_hooks: the same; these see gradients.

        Raises:
            ValueError: a name is no hook point (the nearest names are suggested); nothing is attached then.
        """
        points = self.hook_points()
        directions: tuple[tuple[Direction, Any], ...] = (("fwd", fwd_hooks), ("bwd", bwd_hooks))
        wanted: list[tuple[HookPoint, HookFunction, Direction]] = [
            (point, hook, direction)
            for direction, pairs in directions
            for name, hook in pairs
            for point in select_points(points, name).values()
        ]
        handles: list[HookHandle] = []
        try:
            for point, hook, direction in wanted:
                handles.append(point.add_hook(hook, dir=direction))
            yield self
        finally:
            for handle in reversed(handles):
                handle.remove()

    def run_with_hooks(
        self,
        *args: Any,
        fwd_hooks: Sequence[tuple[str | Callable[[str], bool], HookFunction]] = (),
        bwd_hooks: Sequence[tuple[str | Callable[[str], bool], HookFunction]] = (),
        **kwargs: Any,
    ) -> Any:
        """One call of the network with hooks attached; returns its output.

        Backward hooks are gone when this returns: call `backward` inside `with network.hooks(...)` instead.
        """
        with self.hooks(fwd_hooks, bwd_hooks):
            return self(*args, **kwargs)

    def run_with_cache(
        self, *args: Any, names_filter: NamesFilter = None, **kwargs: Any
    ) -> tuple[Any, dict[str, Tensor]]:
        """One call of the network; returns its output and detached copies of the activations by name.

        Raises:
            ValueError: an unknown name, or a point that the pass reached twice or never.
        """
        points = select_points(self.hook_points(), names_filter)
        kept: dict[str, Tensor] = {}

        def keep(activation: Tensor, /, *, hook: HookPoint) -> None:
            name = hook.name or ""
            if name in kept:
                raise ValueError(
                    f"hook point {name!r} passed twice in one forward pass, so which activation is meant is "
                    f"unclear. Give each use its own module or hook point."
                )
            # A copy: a later in-place operation of the network must not change what was read.
            kept[name] = activation.detach().clone()

        with self.hooks([(name, keep) for name in points]):
            output = self(*args, **kwargs)
        if missed := [name for name in points if name not in kept]:
            raise ValueError(f"the forward pass never reached the hook points {missed}")
        return output, kept


class HookedModules(HookedNetwork):
    """A module written elsewhere, with hook points on the outputs of some of its submodules.

    Calling it calls the module; the names are paths inside the module. Nothing is attached to it until a hook
    is, and hooks also run when the module itself is called (by Stable-Baselines3, say) inside a `hooks` block.
    """

    def __init__(self, model: nn.Module, points: dict[str, HookPoint]):
        super().__init__()
        self.model = model
        self._points = points

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.model(*args, **kwargs)


def hook_modules(model: nn.Module, names: Sequence[str] | None = None) -> HookedModules:
    """Hook points on any `nn.Module`: the output of each named submodule is an activation.

    Args:
        model: the module; it is not changed.
        names: module paths, as `model.named_modules()` writes them; None takes every submodule.

    Raises:
        ValueError: a path that does not exist (the nearest paths are suggested).
    """
    modules = {path: module for path, module in model.named_modules(remove_duplicate=False) if path}
    points = {}
    for name in modules if names is None else names:
        if name not in modules:
            raise ValueError(unknown_hook_point(name, list(modules)))
        points[name] = HookPoint(watched=modules[name])
        points[name].name = name
    return HookedModules(model, points)


def select_points(points: dict[str, HookPoint], wanted: NamesFilter) -> dict[str, HookPoint]:
    """The hook points that `wanted` names, in the order in which it names them.

    Raises:
        ValueError: a name that is no hook point; the nearest names are suggested.
    """
    if wanted is None:
        return dict(points)
    if callable(wanted):
        return {name: point for name, point in points.items() if wanted(name)}
    names = [wanted] if isinstance(wanted, str) else wanted
    for name in names:
        if name not in points:
            raise ValueError(unknown_hook_point(name, list(points)))
    return {name: points[name] for name in names}


def unknown_hook_point(name: str, known: Sequence[str]) -> str:
    """The message about a name that is no hook point."""
    near = get_close_matches(name, known, n=3, cutoff=0.4)
    mend = f"Did you mean {', '.join(near)}?" if near else f"Hook points: {', '.join(known)}."
    return f"expected the name of a hook point, got {name!r}. {mend}"
