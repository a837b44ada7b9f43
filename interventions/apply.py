"""Put interventions on a network for the length of a `with` block.

When to use: for whatever runs the network by itself (rollouts, `capture`, an evaluation), or for one
intervention at a time. To compare many on the same frames, `arms.py` is several times faster.

    with applied(network, ZeroAblation("conv_out", channels=[21])):
        play_episodes(policy(network), states)

- Interventions at one hook point act in the order given; blocks nest, and the inner block's act after the outer's.
- The hooks are gone after the block, whatever was raised; hooks of others stay.
- The network is a `HookedNetwork` or any module; a hook point is then the path of one of its submodules.
- Hooks added inside the block (`capture`, `run_with_cache`) see the activations as changed.
- An activation is never changed in place.
- Where a hook point passes twice in one forward pass, the intervention acts both times.

Cost: one copy of the activation per intervention and forward pass.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from torch import Tensor, nn

from procscope.activations.hooks import HookedModules, HookedNetwork, HookPoint, hook_modules, select_points
from procscope.interventions.intervention import Intervention

Network = TypeVar("Network", bound=nn.Module)


@contextmanager
def applied(network: Network, *interventions: Intervention) -> Iterator[Network]:
    """Let the interventions act on every forward pass inside the block; gives the network itself.

    Raises:
        ValueError: before anything is attached, an unknown hook point (the nearest names are suggested); in a
            forward pass, a channel that the hook point does not have (their number is given); at the end of
            the block, a network that ran without ever reaching an intervention's hook point.
    """
    hooked = with_hook_points(network, [one.hook_point for one in interventions])
    unreached = set(range(len(interventions)))
    runs = 0

    def count(*_: object) -> None:
        nonlocal runs
        runs += 1

    def acting(place: int) -> Callable[..., Tensor]:
        def act(activation: Tensor, /, *, hook: HookPoint) -> Tensor:
            unreached.discard(place)
            return interventions[place].replaced(activation)

        return act

    ran = hooked.model if isinstance(hooked, HookedModules) else hooked
    handle = ran.register_forward_hook(count)
    try:
        with hooked.hooks([(one.hook_point, acting(place)) for place, one in enumerate(interventions)]):
            yield network
    finally:
        handle.remove()
    if runs and unreached:
        idle = ", ".join(repr(interventions[place]) for place in sorted(unreached))
        raise ValueError(
            f"the network ran {runs} times and never reached the hook point of {idle}, so nothing was changed. "
            "Choose a place that its forward pass goes through"
        )


def with_hook_points(network: nn.Module, names: Sequence[str]) -> HookedNetwork:
    """The network itself if it has hook points, else a wrapper of it with those on the outputs of its submodules.

    Raises ValueError: a name that is no hook point, or no submodule; the nearest are suggested.
    """
    hooked = (
        network if isinstance(network, HookedNetwork) else hook_modules(network, list(dict.fromkeys(names)))
    )
    select_points(hooked.hook_points(), names)
    return hooked
