"""Commands of the zoo: `zoo list`, `zoo show`, `zoo add`, `zoo check`, `zoo video`."""

from pathlib import Path


def list_models() -> None:
    """List the shipped networks with their measured success."""
    from procscope.workbench.checkpoints import read_checkpoint
    from procscope.zoo.models import names, path

    for name in names():
        print(name)
        for metric, found in read_checkpoint(path(name)).header.metrics.items():
            if isinstance(found, tuple):
                value, low, high, n = found
                print(f"    {metric:<50} {100 * value:5.1f}% [{100 * low:.1f}, {100 * high:.1f}], n = {n}")
            else:
                print(f"    {metric:<50} {found:.4g}")


def show(name: str, /) -> None:
    """Print a shipped network's card, with the place of its video.

    Args:
        name: name of the network.
    """
    from procscope.zoo.models import card, path

    video = path(name).with_suffix(".gif")
    print(card(name).replace(f"![play]({video.name})", f"How it plays: {video}"))


def add(
    name: str,
    /,
    run: Path,
    summary: str,
    variants: tuple[str, ...] = (),
    transitions: Path | None = None,
    cache: Path | None = None,
    folder: Path = Path("zoo"),
    episodes: int = 1000,
    stills: int = 0,
) -> None:
    """Ship a trained network: store it in float16, measure it, write its card.

    Args:
        name: name that it gets.
        run: directory of the training run.
        summary: paragraph for the top of the card.
        variants: of a policy: distributions to evaluate on, the one trained on first; several variants of one joined
            by `+`, and `unedited` for the engine's own levels.
        transitions: of a reward network: those that it was trained on, whose test levels it is measured on.
        cache: of a sparse autoencoder: activations and frames of its network that it is measured on.
        folder: where the files go.
        episodes: levels for each evaluation, or to play with an autoencoder's reconstruction.
        stills: so many checkpoints of the run's film are shipped, too, for `procscope run ... --over-training NAME`.
    """
    from procscope.zoo.reward_shipping import ship_reward
    from procscope.zoo.sae_shipping import ship_sae
    from procscope.zoo.shipping import ship

    if bool(variants) + (transitions is not None) + (cache is not None) != 1:
        raise ValueError(
            "expected one of --variants for a policy, --transitions for a reward network and --cache for a sparse "
            "autoencoder"
        )
    if transitions is not None:
        print(ship_reward(name, run, transitions, folder, summary=summary))
        return
    if cache is not None:
        print(ship_sae(name, run, cache, folder, summary=summary, episodes=episodes))
        return
    distributions = [() if variant == "unedited" else tuple(variant.split("+")) for variant in variants]
    print(ship(name, run, folder, distributions, summary=summary, episodes=episodes, stills=stills))


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

    header = read_checkpoint(path(name)).header
    if header.architecture in ("reward-network", "sae"):
        raise ValueError(
            f"{name} is a {'reward network' if header.architecture == 'reward-network' else 'sparse autoencoder'}, "
            "whose data are not shipped: its card has the commands that train it again"
        )
    training = first_stage(header.training)
    recorded = len(training["first_losses"])
    if not 1 <= losses <= recorded:
        raise ValueError(f"losses must be from 1 to the {recorded} on record; given: {losses}")
    same, largest = losses_agree(training, first_losses(ImitationConfig(**training["config"]), losses))
    print(f"{name}: first {losses} losses {'identical' if same else f'differ by up to {largest:.3g}'}")
    return 0 if same else 1


def video(
    name: str,
    /,
    out: Path | None = None,
    variant: tuple[str, ...] | None = None,
    games: int = 4,
    max_steps: int = 150,
    seed: int = 0,
    greedy: bool = False,
) -> None:
    """Write a GIF of under 500 kB in which a network plays levels that training never drew, side by side.

    A green border: the goal was reached; a red one: it was not; a grey one: the video ended first. The levels are
    the first that the seed draws.

    Args:
        name: name of a network, or a path to a checkpoint.
        out: file to write; by default NAME.gif here.
        variant: level variants; by default those it was trained on. `unedited` for the engine's own levels.
        games: levels side by side.
        max_steps: steps after which the video ends.
        seed: of the levels and of the action noise.
        greedy: the most probable action instead of a sampled one.
    """
    from procscope.workbench.atomic import write_bytes_atomically
    from procscope.workbench.checkpoints import load_network
    from procscope.zoo.video import gif_bytes, record_play

    loaded = load_network(name)
    header = loaded.header
    play = record_play(
        loaded.network,
        game=header.game,
        mode=header.mode,
        variants=header.variant if variant is None else tuple(v for v in variant if v != "unedited"),
        engine_options=header.engine_options,
        games=games,
        max_steps=max_steps,
        seed=seed,
        greedy=greedy,
    )
    content = gif_bytes(play)
    path = Path(f"{Path(name).stem}.gif") if out is None else out
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(path, content)
    for level_seed, length, success, ended in zip(
        play.level_seeds, play.lengths, play.success, play.ended, strict=True
    ):
        result = "goal reached" if success else "ended without the goal" if ended else "still playing"
        print(f"level {level_seed}: {result} after {length} steps")
    print(f"{path}: {len(content) / 1000:.0f} kB")
