"""What ground truth costs: labels of all games of a vector, as time added to stepping and getting the states.

    python benchmarks/labels.py [--game heist ...] [--mode easy] [--num-envs 64] [--seconds 20]

Every round of play does the same steps with random actions, each followed by `get_states` of all games, with and
without labelling those states; levels that begin are noted as `ProcgenVectorEnv` does. Bar: the labels add at most 0.25
of the time of stepping and getting the states: by CPU time of all rounds together, as levels that begin come in bursts,
which a median over rounds would miss. Beside it the median by the clock, and what it takes to read a level out of a
state and to write it back.
"""

import argparse
from collections.abc import Callable

import numpy as np
from interleaved import interleave

from procscope.envs.engine import MODES, Engine, EngineOptions, levels_from_seeds
from procscope.envs.games import GAMES, game
from procscope.envs.labels import Labeller

STEPS_A_ROUND = 10
BAR = 0.25


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--game", nargs="+", default=list(GAMES), choices=GAMES)
    parser.add_argument("--mode", default="easy")
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    for name in options.game:
        if options.mode not in MODES[name]:
            print(f"{name} has no mode {options.mode}")
            continue
        ways = {"states": play(name, options, False), "states and labels": play(name, options, True)}
        rounds = interleave(ways, options.seconds)
        added = rounds.seconds["states and labels"] / rounds.seconds["states"] - 1
        low, median, high = np.quantile(added, [0.25, 0.5, 0.75])
        cpu = 1 / rounds.cpu_speed("states and labels", "states") - 1
        per_step = np.median(rounds.seconds["states"]) / STEPS_A_ROUND * 1000
        print(
            f"{name} {options.mode}, {options.num_envs} games: a step with get_states {per_step:.2f} ms; labels add "
            f"{cpu:.3f} of its CPU time: bar {BAR}; by the clock {median:.3f} ({low:.3f} to {high:.3f})",
            flush=True,
        )
        print_codec(name, options.mode, options.seconds / 4)


def play(name: str, options: argparse.Namespace, with_labels: bool) -> Callable[[], None]:
    """A round of steps with the states got out, and labelled or not."""
    n = options.num_envs
    engine = Engine(EngineOptions(name, options.mode, num_envs=n))
    labeller = Labeller(name, n)
    labeller.begin_levels(np.arange(n), engine.get_states())
    actions = np.random.default_rng(0).integers(0, 15, (997, n))
    step = 0

    def round_of_steps() -> None:
        nonlocal step
        for _ in range(STEPS_A_ROUND):
            engine.act(actions[step % len(actions)])
            step += 1
            states = engine.get_states()
            if not with_labels:
                continue
            began = np.flatnonzero(engine.first)
            if began.size:
                labeller.begin_levels(began, [states[index] for index in began])
            labeller.label(states)

    return round_of_steps


def print_codec(name: str, mode: str, seconds: float) -> None:
    """Time to read levels out of states and to write them back."""
    states = levels_from_seeds(name, range(64), mode)
    level_type = game(name).level_type
    levels = [level_type.from_state(state) for state in states]
    rounds = interleave(
        {
            "from_state": lambda: [level_type.from_state(state) for state in states],
            "to_state": lambda: [level.to_state(state) for level, state in zip(levels, states, strict=True)],
        },
        seconds,
    )
    for way in rounds.seconds:
        print(f"  {way}: {np.median(rounds.seconds[way]) / len(states) * 1e6:.0f} us a level")


if __name__ == "__main__":
    main()
