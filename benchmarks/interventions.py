"""What interventions cost: sweeps in play against the same episodes without; vector fields against a loop over cells.

    python benchmarks/interventions.py [--levels 64] [--arms 16] [--max-steps 64] [--seconds 300]

Three ways to play as many episodes, of the shipped maze network on one thread, as a sweep of 64 levels x 16
interventions has: the sweep, with its interventions; `play_episodes` with the untouched network, batched in the same
way (bar: the sweep reaches 0.8 of its speed); and one level and one hook at a time, which is timed on some of them and
reckoned up. The interventions are ablations of one channel each at the layer that is read (`conv_out`) and at one
inside the network (`block2.res1`); memory of what was computed before may be switched off to see what it does.

A vector field of a 25 x 25 maze, against loops that put the mouse on one cell after the other (bar: 0.2 of the time):
with the calls that anyone would use, and with all that can be left out left out, where little but the batch is gained.
"""

import numpy as np
import torch
from arguments import parser
from interleaved import interleave

from procscope.activations.acting import policy_logits
from procscope.agents.episodes import play_episodes, policy
from procscope.envs.engine import Engine, EngineOptions
from procscope.envs.level_frames import frames_of_levels
from procscope.envs.maze import MazeLevel
from procscope.envs.starting_states import starting_states
from procscope.interventions.ablation import ZeroAblation
from procscope.interventions.apply import applied
from procscope.interventions.sweep import sweep_rollouts
from procscope.interventions.vector_field import maze_fields
from procscope.workbench.checkpoints import load_network

ALONE = 12
"""Episodes that one level and one hook at a time is timed on."""


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__, seconds=300)
    arguments.add_argument("--levels", type=int, default=64)
    arguments.add_argument("--arms", type=int, default=16)
    arguments.add_argument("--max-steps", type=int, default=64)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    network = load_network(options.model).network
    seeds = range(10**9, 10**9 + options.levels)
    states = starting_states("maze", seeds, variants=["cheese-anywhere"])
    # The untouched network is one of the sweep's arms.
    arms = {
        place: {f"{place} {c}": ZeroAblation(place, [c]) for c in range(options.arms - 1)}
        for place in ("conv_out", "block2.res1")
    }

    def sweep(place: str, memo_bytes: int = 2**28) -> None:
        sweep_rollouts(
            network,
            states,
            arms[place],
            controls=False,
            seed=0,
            max_steps=options.max_steps,
            memo_bytes=memo_bytes,
        )

    def batched() -> None:
        play_episodes(policy(network), states * options.arms, games=512, seed=0, max_steps=options.max_steps)

    alone_rng = np.random.default_rng(0)
    chosen = [
        (int(level), int(arm))
        for level, arm in zip(
            alone_rng.integers(options.levels, size=ALONE),
            alone_rng.integers(options.arms - 1, size=ALONE),
            strict=True,
        )
    ]

    def alone() -> None:
        for level, arm in chosen:
            with applied(network, arms["conv_out"][f"conv_out {arm}"]):
                play_episodes(policy(network), [states[level]], games=1, seed=0, max_steps=options.max_steps)

    rounds = interleave(
        {
            "sweep": lambda: sweep("conv_out"),
            "sweep inside": lambda: sweep("block2.res1"),
            "sweep without memory": lambda: sweep("conv_out", memo_bytes=0),
            "batched": batched,
            "alone": alone,
        },
        options.seconds,
        least_rounds=3,
    )
    episodes = options.levels * options.arms
    print(
        f"{options.model}, {options.levels} levels x {options.arms} arms, {options.max_steps} steps, one thread:"
    )
    print(f"  {rounds.rate('batched', episodes):8.1f} episodes/s  untouched network, batched")
    for way in ("sweep", "sweep inside", "sweep without memory"):
        print(
            f"  {rounds.rate(way, episodes):8.1f} episodes/s  {way}: {rounds.speed(way, 'batched')} of batched"
        )
    print(f"  {rounds.rate('alone', ALONE):8.1f} episodes/s  one level and one hook at a time")
    print(f"by CPU time, sweep against batched: {rounds.cpu_speed('sweep', 'batched'):.2f}")
    factors = rounds.seconds["alone"] / ALONE * episodes / rounds.seconds["sweep"]
    low, middle, high = np.quantile(factors, [0.25, 0.5, 0.75])
    print(
        f"sweep against batched: bar 0.8; against one at a time: {middle:.1f} times ({low:.1f} to {high:.1f})"
    )
    fields(network, options.seconds)


def fields(network: torch.nn.Module, seconds: float) -> None:
    """The field of one maze, in one batch and cell by cell, and the difference of two."""
    level = MazeLevel.generate(25, np.random.default_rng(0), world=25)
    engine = Engine(EngineOptions("maze", level.mode, num_envs=1))
    cells = [(int(x), int(y)) for y, x in np.argwhere(~level.walls)]
    zeroed = {"zeroed": ZeroAblation("conv_out", [1])}

    def loop() -> None:
        for x, y in cells:
            shown = frames_of_levels([level.with_mouse(x, y, allow_unsolvable=True)])
            policy_logits(network, shown.frames)

    def lean_loop() -> None:
        for x, y in cells:
            state = level.with_mouse(x, y, allow_unsolvable=True).to_state()
            policy_logits(network, engine.render([state]))

    def lean_loops() -> None:
        lean_loop()
        with applied(network, *zeroed.values()):
            lean_loop()

    rounds = interleave(
        {
            "field": lambda: maze_fields(network, level),
            "loop": loop,
            "lean loop": lean_loop,
            "two fields": lambda: maze_fields(network, level, zeroed),
            "two lean loops": lean_loops,
        },
        seconds / 5,
        least_rounds=3,
    )
    print(f"vector field of a 25 x 25 maze ({len(cells)} cells), share of a loop's time; bar 0.2:")
    print(f"  {rounds.speed('loop', 'field')}  of a loop over levels")
    print(f"  {rounds.speed('lean loop', 'field')}  of a loop over states in an engine of one game")
    print(f"  {rounds.speed('two lean loops', 'two fields')}  two fields of two such loops")


if __name__ == "__main__":
    main()
