"""Commands of the agents: `train imitation` and `evaluate`."""

from pathlib import Path
from typing import Literal


def train_imitation(
    out: Path,
    variant: tuple[str, ...] = (),
    game: Literal["maze", "coinrun"] = "maze",
    mode: Literal["easy", "hard", "memory"] = "easy",
    paint_velocity: bool = False,
    network: str = "impala",
    widths: tuple[int, int, int] = (16, 32, 32),
    frames: int = 1_000_000,
    seed: int = 0,
    threads: int = 1,
    start_from: str | None = None,
    static_rounds: float = 0.4,
    own_share: float = 0.5,
    remembered_share: float = 0.25,
    max_rounds: int | None = None,
    max_minutes: float = float("inf"),
    workers: int = 1,
) -> None:
    """Train a policy to imitate an expert: shortest paths in the maze, a search in the engine in CoinRun.

    It learns on fresh levels first, then also on the states that it comes to itself (DAgger).

    Writes network.safetensors, curve.csv and losses.csv to the directory --out. Stopped at any moment, the
    same command goes on where it was. About 70 minutes a million frames on one core.

    Args:
        out: directory of the run.
        variant: level variants, in the order applied, such as `cheese-top-right`.
        game: the game.
        mode: difficulty mode of the engine.
        paint_velocity: paint the agent's velocity into the picture's corner, which CoinRun's picture does not show.
        network: architecture.
        widths: channels of the network's three blocks.
        frames: frames to learn from in all.
        seed: seed of weights and data.
        threads: threads of torch; another number rounds differently and so gives another network.
        start_from: begin with the weights of this network, a name or a path, instead of new ones.
        static_rounds: share of the rounds, the first ones, that learn from fresh levels alone.
        own_share: share of a later round's samples from states that the network itself came to.
        remembered_share: share of samples seen before; where planning is the work (CoinRun), 0.6 and more.
        max_rounds: stop after this many rounds of 16,384 frames, before the learning rate has fallen.
        max_minutes: stop after the round in which these are over.
        workers: processes that plan, where planning is the work; changes no result.
    """
    from procscope.agents.imitation.config import ImitationConfig
    from procscope.agents.imitation.training import train_imitation as train

    config = ImitationConfig(
        variant=variant,
        game=game,
        mode=mode,
        network=network,
        network_options={"widths": list(widths)},
        frames=frames,
        seed=seed,
        threads=threads,
        start_from=start_from,
        static_rounds=static_rounds,
        own_share=own_share,
        remembered_share=remembered_share,
        engine_options={"paint_vel_info": True} if paint_velocity else {},
    )
    print(train(config, out, max_minutes, max_rounds, workers))


def evaluate(
    model: str,
    /,
    variant: tuple[str, ...] = (),
    episodes: int = 1000,
    actions: Literal["both", "sampled", "greedy"] = "both",
    seed: int = 0,
    first_level_seed: int = 10**9,
    max_steps: int = 500,
    device: str = "cpu",
    out: Path | None = None,
) -> None:
    """Measure how often a policy reaches the goal, and where it fails.

    Plays each level once, from its start, and prints success with Wilson's 95% interval, in all and by a
    property of the levels: the maze's size, Heist's keys, the distance of CoinRun's coin. Game, mode and look are
    those that the network was trained on.

    Args:
        model: a model's name or a path to a checkpoint.
        variant: level variants in the order applied, such as cheese-anywhere; none for unedited levels.
        episodes: levels, one episode each.
        actions: sampled from the policy, greedy, or both in turn.
        seed: of the variants' draws and the action noise.
        first_level_seed: the levels are this one and those that follow; training never draws from 10^9 on.
        max_steps: steps after which an episode counts as failed; the engine ends a maze after 500.
        device: where the network runs.
        out: also write the numbers to this JSON file.
    """
    from procscope.agents.evaluate import evaluate as play
    from procscope.agents.evaluation_text import as_data, as_text
    from procscope.workbench.atomic import write_json_atomically
    from procscope.workbench.checkpoints import load_network
    from procscope.workbench.memory import keep_freed_memory

    keep_freed_memory()
    if (
        out is not None
    ):  # before the levels are played, so that a place that cannot be written to costs nothing
        out.parent.mkdir(parents=True, exist_ok=True)
    loaded = load_network(model, device)
    environment = dict(loaded.header.environment)
    game, mode = environment.pop("game", "maze"), environment.pop("mode", "easy")
    found = {}
    for choice in ("sampled", "greedy") if actions == "both" else (actions,):
        result = play(
            loaded.network,
            game=game,
            mode=mode,
            engine_options=environment,
            variants=variant,
            episodes=episodes,
            level_seeds=range(first_level_seed, 2**31 - 1),
            seed=seed,
            greedy=choice == "greedy",
            max_steps=max_steps,
            progress=choice,
        )
        print(as_text(f"{model}, {' '.join(variant) or 'unedited levels'}, {choice} actions", result))
        found[choice] = as_data(result)
    if out is not None:
        about = {"model": model, "weights_hash": loaded.weights_hash, "variant": variant, "seed": seed}
        write_json_atomically(out, about | {"first_level_seed": first_level_seed} | found)
