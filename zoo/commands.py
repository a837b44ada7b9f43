"""Commands of the zoo: `zoo list`, `zoo show`, `zoo add`, `zoo check`."""

from pathlib import Path


def list_models() -> None:
    """List the shipped networks with their measured success."""
    from procscope.workbench.checkpoints import read_checkpoint
    from procscope.zoo.models import names, path

    for name in names():
        print(name)
        for metric, (value, low, high, n) in read_checkpoint(path(name)).header.metrics.items():
            print(f"    {metric:<50} {100 * value:5.1f}% [{100 * low:.1f}, {100 * high:.1f}], n = {n}")


def show(name: str, /) -> None:
    """Print a shipped network's card.

    Args:
        name: name of the network.
    """
    from procscope.zoo.models import card

    print(card(name))


def add(
    name: str,
    /,
    run: Path,
    variants: tuple[str, ...],
    summary: str,
    folder: Path = Path("zoo"),
    episodes: int = 1000,
) -> None:
    """Ship a trained network: store it in float16, measure it, write its card.

    Args:
        name: name that it gets.
        run: directory of the training run.
        variants: distributions to evaluate on, the one trained on first; several variants of one joined by `+`, and
            `unedited` for the engine's own levels.
        summary: paragraph for the top of the card.
        folder: where the files go.
        episodes: levels for each evaluation.
    """
    from procscope.zoo.shipping import ship

    distributions = [() if variant == "unedited" else tuple(variant.split("+")) for variant in variants]
    print(ship(name, run, folder, distributions, summary=summary, episodes=episodes))


def check(name: str, /, losses: int = 100) -> int:
    """Train a shipped network's first steps again and compare the losses with those on record.

    Args:
        name: name of the network.
        losses: steps to compare, at most 100.
    """
    from procscope.agents.imitation.config import ImitationConfig
    from procscope.agents.imitation.training import first_losses
    from procscope.workbench.checkpoints import read_checkpoint
    from procscope.zoo.cards import first_stage
    from procscope.zoo.models import path
    from procscope.zoo.shipping import losses_agree

    training = first_stage(read_checkpoint(path(name)).header.training)
    recorded = len(training["first_losses"])
    if not 1 <= losses <= recorded:
        raise ValueError(f"losses must be from 1 to the {recorded} on record; given: {losses}")
    same, largest = losses_agree(training, first_losses(ImitationConfig(**training["config"]), losses))
    print(f"{name}: first {losses} losses {'identical' if same else f'differ by up to {largest:.3g}'}")
    return 0 if same else 1
