"""Commands of the agents: `train imitation`, `train ppo`, `train dqn`, `evaluate` and `model import`."""

from pathlib import Path
from typing import Literal


def train_imitation(
    out: Path,
    variant: tuple[str, ...] = (),
    game: Literal["maze", "heist", "coinrun"] = "maze",
    mode: Literal["easy", "hard", "memory"] = "easy",
    paint_velocity: bool = False,
    network: str = "impala",
    widths: tuple[int, int, int] | None = None,
    frames: int = 1_000_000,
    seed: int = 0,
    threads: int = 1,
    start_from: str | None = None,
    static_rounds: float = 0.4,
    own_share: float = 0.5,
    remembered_share: float = 0.25,
    ahead: bool = True,
    learning_rate: float = 1e-3,
    batch_norm: bool = False,
    max_rounds: int | None = None,
    max_minutes: float = float("inf"),
    workers: int = 1,
) -> None:
    """Train a policy to imitate an expert that knows the engine's state.

    The expert goes the shortest way in the maze, plans keys and locks in Heist, and searches in the engine in CoinRun.

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
        widths: channels of the three blocks of `impala`; 16 32 32 if not given.
        frames: frames to learn from in all.
        seed: seed of weights and data.
        threads: threads of torch; another number rounds differently and so gives another network.
        start_from: begin with the weights of this network, a name or a path, instead of new ones.
        static_rounds: share of the rounds, the first ones, that learn from fresh levels alone.
        own_share: share of a later round's samples from states that the network itself came to.
        remembered_share: share of samples seen before; where planning is the work (CoinRun), 0.6 and more.
        ahead: make each round in another process while the one before is learned from; the network's own states are
            then those of the network one round earlier.
        learning_rate: the highest of the one-cycle schedule (AdamW).
        batch_norm: learn with batch normalisation and fold it into the weights that are written; deep networks
            without residual sums, such as `interpretable-cnn`, hardly learn without.
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
        network_options=_network_options(network, widths),
        frames=frames,
        seed=seed,
        threads=threads,
        start_from=start_from,
        static_rounds=static_rounds,
        own_share=own_share,
        remembered_share=remembered_share,
        ahead=ahead,
        peak_learning_rate=learning_rate,
        batch_norm=batch_norm,
        engine_options={"paint_vel_info": True} if paint_velocity else {},
    )
    print(train(config, out, max_minutes, max_rounds, workers))


def _network_options(network: str, widths: tuple[int, int, int] | None) -> dict[str, list[int]]:
    if widths is not None:
        return {"widths": list(widths)}
    return {"widths": [16, 32, 32]} if network == "impala" else {}


def train_ppo(
    out: Path,
    variant: tuple[str, ...] = (),
    game: str = "maze",
    mode: Literal["easy", "hard", "memory", "extreme"] = "easy",
    paint_velocity: bool = False,
    network: str = "impala",
    widths: tuple[int, int, int] | None = None,
    start_from: str | None = None,
    seed: int = 0,
    steps: int = 25_000_000,
    envs: int = 256,
    rollout_steps: int = 256,
    epochs: int = 3,
    minibatches: int = 8,
    learning_rate: float = 5e-4,
    anneal: bool = False,
    discount: float = 0.999,
    gae_lambda: float = 0.95,
    clip: float = 0.2,
    entropy_weight: float = 0.01,
    scale_rewards: bool = True,
    level_seeds: tuple[int, int] = (0, 10**8),
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
    threads: int = 1,
    device: str = "auto",
    max_rounds: int | None = None,
    max_minutes: float = float("inf"),
    commit_minutes: float = 5.0,
) -> None:
    """Train a policy by reinforcement (PPO), from new weights or from a trained network's.

    Defaults are the Procgen paper's with 256 games, for a GPU. On a CPU give fewer games and smaller minibatches,
    such as --envs 64 --rollout-steps 128 --minibatches 32: about 200 frames/s on two cores.

    Writes network.safetensors, curve.csv, TensorBoard's event file and film/, networks kept along the way, to the
    directory --out. Stopped at any moment, the same command goes on from its last commit.

    Args:
        out: directory of the run.
        variant: level variants, in the order applied, such as `cheese-top-right`.
        game: the game.
        mode: difficulty mode of the engine.
        paint_velocity: paint the agent's velocity into the picture's corner, which CoinRun's picture does not show.
        network: architecture.
        widths: channels of the three blocks of `impala`; 16 32 32 if not given.
        start_from: begin with the weights of this network, a name or a path, instead of new ones.
        seed: seed of weights, levels and all chance.
        steps: environment steps in all, those of every game counted.
        envs: games played side by side.
        rollout_steps: steps of every game in a round: played, learned from, forgotten.
        epochs: passes over a round's steps.
        minibatches: optimiser steps of a pass.
        learning_rate: Adam's.
        anneal: let the learning rate fall to zero over the run.
        discount: gamma.
        gae_lambda: lambda of the advantage estimation.
        clip: how far a probability's ratio may move.
        entropy_weight: reward of trying things.
        scale_rewards: divide rewards by the spread of the returns.
        level_seeds: first and last-plus-one level seed to train on.
        precision: of products; auto is bfloat16 on CUDA, float32 elsewhere.
        threads: threads of torch on the CPU; another number rounds differently and so gives another network.
        device: where the network runs: cpu, cuda, or auto.
        max_rounds: stop after this many rounds in all.
        max_minutes: stop after the round in which these are over.
        commit_minutes: how often the run is put down, to be gone on with.
    """
    from procscope.agents.ppo.config import PPOConfig
    from procscope.agents.ppo.training import train_ppo as train

    config = PPOConfig(
        variant=variant,
        game=game,
        mode=mode,
        engine_options={"paint_vel_info": True} if paint_velocity else {},
        network=network,
        network_options=_network_options(network, widths),
        start_from=start_from,
        seed=seed,
        steps=steps,
        envs=envs,
        rollout_steps=rollout_steps,
        epochs=epochs,
        minibatches=minibatches,
        learning_rate=learning_rate,
        anneal=anneal,
        discount=discount,
        gae_lambda=gae_lambda,
        clip=clip,
        entropy_weight=entropy_weight,
        scale_rewards=scale_rewards,
        level_seeds=level_seeds,
        precision=precision,
        threads=threads,
    )
    print(train(config, out, device, max_minutes, max_rounds, commit_minutes))


def train_dqn(
    out: Path,
    game: Literal["ms-pacman", "toy-pacman"] = "toy-pacman",
    width: int | None = None,
    start_from: str | None = None,
    seed: int = 0,
    episodes: int | None = None,
    envs: int | None = None,
    updates_per_episode: int | None = None,
    learning_rate: float | None = None,
    buffer_frames: int | None = None,
    threads: int = 1,
    device: str = "auto",
    processes: bool = False,
    max_rounds: int | None = None,
    max_minutes: float = float("inf"),
    commit_minutes: float = 5.0,
) -> None:
    """Train a small Q network (DQN) to play Ms. Pac-Man: the Atari game, or the toy in minutes.

    What is not given is the game's preset: for the Atari game the recipe of the SAE study's agents.

    Writes network.safetensors, curve.csv, TensorBoard's event file, film/ and the replay to the directory --out.
    Stopped at any moment, the same command goes on from its last commit.

    Args:
        out: directory of the run.
        game: the Atari game needs the extra `atari` of this package.
        width: units of the toy network's hidden layer, 128 if not given.
        start_from: begin with the weights of this network, a name or a path, instead of new ones.
        seed: seed of weights, games and all chance.
        episodes: games in all.
        envs: games played side by side.
        updates_per_episode: optimiser steps after each game.
        learning_rate: Adam's.
        buffer_frames: steps remembered; one of the Atari game takes 100 kB of memory.
        threads: threads of torch on the CPU; another number rounds differently and so gives another network.
        device: where the network runs: cpu, cuda, or auto.
        processes: play every Atari game in a process of its own; changes no result.
        max_rounds: stop after this many rounds in all.
        max_minutes: stop after the round in which these are over.
        commit_minutes: how often the run is put down, to be gone on with.
    """
    from procscope.agents.dqn.config import PRESETS, DQNConfig
    from procscope.agents.dqn.training import train_dqn as train

    if width is not None and game != "toy-pacman":
        raise ValueError(f"--width is of the toy's network; {game} has one network")
    given = {
        "episodes": episodes,
        "envs": envs,
        "updates_per_episode": updates_per_episode,
        "learning_rate": learning_rate,
        "buffer_frames": buffer_frames,
    }
    options = PRESETS[game] | {name: value for name, value in given.items() if value is not None}
    config = DQNConfig(
        game=game,
        network_options={} if width is None else {"width": width},
        start_from=start_from,
        seed=seed,
        threads=threads,
        **options,
    )
    print(train(config, out, device, max_minutes, max_rounds, commit_minutes, processes))


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
    plot: Path | None = None,
) -> None:
    """Measure how often a policy reaches the goal, and where it fails.

    Plays each level once, from its start, and prints success with Wilson's 95% interval, in all and by
    properties of the levels: the maze's size and the cheese's place, Heist's keys and way, the distance of CoinRun's
    coin. Game, mode and look are those that the network was trained on.

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
        plot: also draw success by the levels' properties into this file, .png or .svg.
    """
    from procscope.agents.evaluate import evaluate_model
    from procscope.agents.evaluation_text import as_data, as_text
    from procscope.agents.success_plot import plot_success
    from procscope.workbench.atomic import write_json_atomically
    from procscope.workbench.checkpoints import load_network
    from procscope.workbench.figures import make_figure_folder, write_figure
    from procscope.workbench.memory import keep_freed_memory

    keep_freed_memory()
    # Before levels are played, so that a place that cannot be written to costs nothing.
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
    if plot is not None:
        make_figure_folder(plot)
    loaded = load_network(model, device)
    found = {}
    for choice in ("sampled", "greedy") if actions == "both" else (actions,):
        found[choice] = evaluate_model(
            loaded,
            variants=variant,
            episodes=episodes,
            level_seeds=range(first_level_seed, 2**31 - 1),
            seed=seed,
            greedy=choice == "greedy",
            max_steps=max_steps,
            progress=choice,
        )
        title = f"{model}, {' '.join(variant) or 'unedited levels'}, {choice} actions"
        print(as_text(title, found[choice]))
    if out is not None:
        about = {"model": model, "weights_hash": loaded.weights_hash, "variant": variant, "seed": seed}
        data = {choice: as_data(result) for choice, result in found.items()}
        write_json_atomically(out, about | {"first_level_seed": first_level_seed} | data)
    if plot is not None:
        game = loaded.header.environment.get("game", "maze")
        write_figure(plot_success({f"{c} actions": result for c, result in found.items()}, game), plot)


def compare(
    first: str,
    second: str,
    /,
    variant: tuple[str, ...] = (),
    episodes: int = 1000,
    greedy: bool = False,
    seed: int = 0,
    first_level_seed: int = 10**9,
    max_steps: int = 500,
    device: str = "cpu",
    plot: Path | None = None,
) -> None:
    """Play two policies in the same levels with the same action noise, and say how they differ.

    Prints both success rates, their difference with Newcombe's interval for pairs, the levels that one alone solved,
    and McNemar's exact p-value. A level that both solve, or neither, says nothing of the difference.

        procscope compare maze-easy-topright maze-easy-anywhere --variant cheese-outside-top-right

    Args:
        first: a model's name or a path to a checkpoint.
        second: another of the same game and mode.
        variant: level variants in the order applied; none for unedited levels.
        episodes: levels, one episode each.
        greedy: take the most probable action instead of a sampled one.
        seed: of the variants' draws and the action noise.
        first_level_seed: the levels are this one and those that follow; training never draws from 10^9 on.
        max_steps: steps after which an episode counts as failed.
        device: where the networks run.
        plot: also draw both by the levels' properties into this file, .png or .svg.
    """
    from procscope.agents.compare import compare as compare_evaluations
    from procscope.agents.evaluate import evaluate_model
    from procscope.agents.evaluation_text import comparison_text
    from procscope.agents.success_plot import plot_success
    from procscope.workbench.checkpoints import load_network
    from procscope.workbench.figures import make_figure_folder, write_figure
    from procscope.workbench.memory import keep_freed_memory

    keep_freed_memory()
    if plot is not None:
        make_figure_folder(plot)
    models = [load_network(name, device) for name in (first, second)]
    one, other = (dict(model.header.environment) for model in models)
    if one != other:
        raise ValueError(
            f"expected two models of one game, mode and look; {first} has {one}, {second} {other}"
        )
    found = [
        evaluate_model(
            model,
            variants=variant,
            episodes=episodes,
            level_seeds=range(first_level_seed, 2**31 - 1),
            seed=seed,
            greedy=greedy,
            max_steps=max_steps,
            progress=name,
        )
        for name, model in zip((first, second), models, strict=True)
    ]
    print(comparison_text(first, second, compare_evaluations(*found)))
    if plot is not None:
        names = (first, second) if first != second else (first, f"{second} again")
        write_figure(plot_success(dict(zip(names, found, strict=True)), one.get("game", "maze")), plot)


def import_model(
    file: Path,
    /,
    out: Path,
    game: str = "maze",
    mode: str = "easy",
    variant: tuple[str, ...] = (),
) -> None:
    """Turn a policy that another code base trained into a checkpoint that every command here takes.

    Knows the files of train-procgen-pytorch and procgen-tools (.pth), of cleanrl's ppo_procgen (a saved state dict),
    Stable-Baselines3 archives of PPO or A2C with CnnPolicy (.zip), and the Ms. Pac-Man agents of the SAE study
    (.safetensors). The layout is recognised by the names of the tensors; widths may be any. Nothing in the file is
    run.

        procscope model import model_rand_region_5.pth --out rand5.safetensors --mode hard
        procscope evaluate rand5.safetensors --variant cheese-top-right

    Args:
        file: the other code base's file.
        out: checkpoint to write, a path that ends in .safetensors.
        game: Procgen game that it was trained on; the file does not say.
        mode: difficulty mode that it was trained in.
        variant: level variants that it was trained on, as far as they are known here.
    """
    from procscope.agents.importers.importing import import_checkpoint
    from procscope.envs.engine import EngineOptions
    from procscope.envs.variants import resolve_variants

    EngineOptions(game, mode)  # a ValueError for names that evaluating it would not know
    resolve_variants(variant, game)
    imported = import_checkpoint(file, out, environment={"game": game, "mode": mode}, variant=variant)
    parameters = sum(tensor.numel() for tensor in imported.tensors.values())
    options = ", ".join(f"{name} {value}" for name, value in imported.options.items())
    print(f"{file}: layout {imported.layout}")
    print(f"{out}: {imported.architecture}, {options}; {parameters:,} parameters")
