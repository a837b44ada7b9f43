"""An expert that uses the engine as its model: it tries macro-actions on copies of a state and keeps the best.

When: for games whose motion is too rich to plan on a grid, above all CoinRun; with `RewardProgress` for any game of
Procgen. As a teacher it plans from states that a learner came to, as an oracle it says whether a level can be
solved at all. For the maze and Heist, which plan on a grid, see the other experts.

    plans = EngineSearch("coinrun").plan(states)       # plans[0].actions leads to the coin if plans[0].solved

How: a beam search (Lowerre 1976). From each of the `beam` states kept, every macro-action is played, which is one
action held for some steps; of the states that come out, one is kept for each place (half cells), and of those the
`beam` with the most progress. Chance is in the state, so that a plan played from its state does what was planned.

Cost on one core, CoinRun easy: about 0.25 s a level (`benchmarks/search.py`), nearly all of it `set_state`, stepping
and `get_state` of some 64 games an iteration.

Axes: `state` roots of the search, `child` states that came out of an iteration, `step` of a plan.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int, Int64, UInt8

from procscope.agents.experts.advice import Advice, expert_values
from procscope.envs.actions import N_ACTIONS
from procscope.envs.engine import ALL_SEEDS, Engine, EngineOptions
from procscope.envs.state.batch import read_batch

NOTHING = 4
LEFT, LEFT_UP, UP, RIGHT, RIGHT_UP = 1, 2, 5, 7, 8

MACROS: tuple[tuple[int, ...], ...] = (
    (RIGHT,) * 6,
    (RIGHT_UP,) * 6,
    (RIGHT_UP,) * 3 + (RIGHT,) * 3,
    (RIGHT,) * 3 + (RIGHT_UP,) * 3,
    (UP,) * 6,
    (NOTHING,) * 6,
    (LEFT,) * 6,
    (LEFT_UP,) * 6,
)
"""Eight ways to move for six steps (0.4 s of play): run, jump, a late and an early jump, wait, and back."""


class Plan(NamedTuple):
    """What to do from a state."""

    actions: Int64[np.ndarray, "step"]
    """Raw actions, up to and including the one that reaches the goal."""
    solved: bool
    """The goal is reached. Else the plan leads to where the search came furthest."""


@runtime_checkable
class Progress(Protocol):
    """Says how far the states are that came out of an iteration."""

    def goals(self, states: Sequence[bytes]) -> list[Any]:
        """What must be known of each root: given back to `measure` with its children."""
        ...

    def measure(
        self,
        states: Sequence[bytes],
        goals: Sequence[Any],
        rewards: Float[np.ndarray, "child"],
        frames: UInt8[np.ndarray, "child row col rgb"],
    ) -> tuple[Float[np.ndarray, "child"], list[Hashable]]:
        """The progress of each child, more is better, and its place: of one place, one child is kept."""
        ...


class CoinProgress:
    """CoinRun: how near the coin is sideways, with a little for height, which lies ahead of jumps.

    A place is a half cell and whether the agent is moving up. Raises ValueError for a level without coin.
    """

    def goals(self, states: Sequence[bytes]) -> list[Float64[np.ndarray, "xy"]]:
        grids = read_batch(states).grids
        found = []
        for row, grid in enumerate(grids):
            coins = np.argwhere(grid == _COIN)
            if not len(coins):
                raise ValueError(f"expected levels with a coin to search for; state {row} has none")
            found.append(coins[0][::-1] + 0.5)
        return found

    def measure(
        self,
        states: Sequence[bytes],
        goals: Sequence[Any],
        rewards: Float[np.ndarray, "child"],
        frames: UInt8[np.ndarray, "child row col rgb"],
    ) -> tuple[Float[np.ndarray, "child"], list[Hashable]]:
        batch = read_batch(states)
        places = batch.agent_xy.astype(np.float64)
        away = np.abs(np.stack(goals)[:, 0] - places[:, 0])
        halves = np.column_stack([np.floor(places * 2), batch.agent_velocity[:, 1] > 0])
        return 0.05 * places[:, 1] - away, [tuple(half) for half in halves.astype(int).tolist()]


class RewardProgress:
    """Any game: the reward so far. A place is a picture, so that states that look alike count once."""

    def goals(self, states: Sequence[bytes]) -> list[None]:
        return [None] * len(states)

    def measure(
        self,
        states: Sequence[bytes],
        goals: Sequence[Any],
        rewards: Float[np.ndarray, "child"],
        frames: UInt8[np.ndarray, "child row col rgb"],
    ) -> tuple[Float[np.ndarray, "child"], list[Hashable]]:
        return rewards.astype(np.float64), [hash(frame.tobytes()) for frame in frames]


_COIN = 1
_PROGRESS: dict[str, type] = {"coinrun": CoinProgress}


class _Node(NamedTuple):
    state: bytes
    macros: tuple[int, ...]
    """Played from the root to here."""
    reward: float


@dataclass
class _Search:
    """One root and what is kept of it."""

    place: int
    """In the list of roots."""
    goal: Any
    nodes: list[_Node]
    furthest: tuple[int, ...] = ()
    iterations: int = 0
    children: list[tuple[float, Hashable, _Node]] = field(default_factory=list)
    wins: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    """(Steps of the last macro until the goal, macros)."""


class EngineSearch:
    """Plans by trying things out in the engine.

    Args:
        game: the game.
        mode: its difficulty mode.
        progress: what to search for; by default the coin in CoinRun, and reward in other games.
        beam: states kept after an iteration.
        macros: macro-actions, tuples of raw actions of one length.
        max_steps: longest plan, in steps.
        games: games of the engine that things are tried in; more roots are searched at a time with more.
        num_threads: of the engine; changes nothing but the speed.
        discount: of the return in `Advice.values`.

    Raises ValueError for an unknown game or mode, or macro-actions of different lengths.
    """

    def __init__(
        self,
        game: str = "coinrun",
        mode: str = "easy",
        *,
        progress: Progress | None = None,
        beam: int = 8,
        macros: Sequence[Sequence[int]] = MACROS,
        max_steps: int = 600,
        games: int = 256,
        num_threads: int = 1,
        discount: float = 0.99,
    ) -> None:
        lengths = {len(macro) for macro in macros}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError(f"macro-actions must have one length, from 1; given lengths: {sorted(lengths)}")
        self._macros = np.array(macros, dtype=np.int32)
        if self._macros.min() < 0 or self._macros.max() >= N_ACTIONS:
            raise ValueError(f"macro-actions consist of raw actions 0..{N_ACTIONS - 1}; given: {macros}")
        if min(beam, games, max_steps) < 1 or not 0 < discount <= 1:
            raise ValueError(
                "expected beam, games and max_steps from 1 and a discount in (0, 1]; given: "
                f"{beam}, {games}, {max_steps}, {discount}"
            )
        self.discount = discount
        self._progress: Progress = progress or _PROGRESS.get(game, RewardProgress)()
        self._beam = beam
        self._iterations = -(-max_steps // self._macros.shape[1])
        self._engine = Engine(
            EngineOptions(game, mode, num_envs=games, level_seeds=ALL_SEEDS, num_threads=num_threads)
        )

    def advise(self, states: Sequence[bytes]) -> Advice:
        """The best action in each state, from a plan all the way: 0.25 s a state, so mind their number.

        Where no plan reaches the goal, the action is the one that leads furthest, `steps_to_goal` is -1 and the
        value is 0.
        """
        plans = self.plan(states)
        steps = np.array([len(plan.actions) if plan.solved else -1 for plan in plans], dtype=np.int64)
        actions = [plan.actions[0] if len(plan.actions) else NOTHING for plan in plans]
        values = np.where(steps > 0, expert_values(steps, self.discount), np.float32(0))
        return Advice(np.array(actions, dtype=np.int64), steps, values)

    def plan(self, states: Sequence[bytes], horizon_steps: int | None = None) -> list[Plan]:
        """A plan from each state, in order.

        Args:
            states: of the game and mode, in play.
            horizon_steps: look only so far ahead, which is quicker; a plan then leads to where the most progress was
                made, and is solved only if the goal is that near.
        """
        iterations = self._iterations
        if horizon_steps is not None:
            iterations = min(iterations, -(-horizon_steps // self._macros.shape[1]))
        goals = self._progress.goals(states) if states else []
        waiting = [
            _Search(place, goal, [_Node(state, (), 0.0)])
            for place, (state, goal) in enumerate(zip(states, goals, strict=True))
        ][::-1]
        at_once = max(1, self._engine.num_envs // (self._beam * len(self._macros)))
        active: list[_Search] = []
        plans: list[Plan | None] = [None] * len(states)
        while waiting or active:
            while waiting and len(active) < at_once:
                active.append(waiting.pop())
            self._expand(active)
            for search in active:
                plan = self._select(search, iterations)
                if plan is not None:
                    plans[search.place] = plan
            active = [search for search in active if plans[search.place] is None]
        return [plan for plan in plans if plan is not None]

    def courses(
        self, states: Sequence[bytes], plans: Sequence[Plan]
    ) -> list[Float32[np.ndarray, "step xyvv"]]:
        """Place and velocity (x, y, vx, vy) of the agent before each action of the plans, played from the states."""
        found: list[np.ndarray] = []
        engine = self._engine
        for first in range(0, len(states), engine.num_envs):
            part = plans[first : first + engine.num_envs]
            engine.set_states(states[first : first + engine.num_envs], range(len(part)))
            lengths = np.array([len(plan.actions) for plan in part])
            courses = [np.empty((length, 4), np.float32) for length in lengths]
            actions = np.full(engine.num_envs, NOTHING, np.int32)
            for step in range(int(lengths.max(initial=0))):
                now = np.flatnonzero(step < lengths)
                batch = read_batch(engine.get_states(now.tolist()))
                motions = np.column_stack([batch.agent_xy, batch.agent_velocity])
                for game, motion in zip(now, motions, strict=True):
                    courses[game][step] = motion
                    actions[game] = part[game].actions[step]
                engine.act(actions)
            found += courses
        return found

    def close(self) -> None:
        """Free the games."""
        self._engine.close()

    def _expand(self, searches: Sequence[_Search]) -> None:
        """Play every macro-action from every node, and note what comes out."""
        jobs = [
            (search, node, macro)
            for search in searches
            for node in search.nodes
            for macro in range(len(self._macros))
        ]
        for start in range(0, len(jobs), self._engine.num_envs):
            part = jobs[start : start + self._engine.num_envs]
            played = self._play([node.state for _, node, _ in part], np.array([job[2] for job in part]))
            rewards = played.rewards + np.array([node.reward for _, node, _ in part])
            for index in np.flatnonzero(played.steps_to_goal):
                search, node, macro = part[index]
                search.wins.append((int(played.steps_to_goal[index]), (*node.macros, macro)))
            alive = np.flatnonzero(played.alive)
            if not len(alive):
                continue
            states = self._engine.get_states(alive.tolist())
            scores, places = self._progress.measure(
                states, [part[i][0].goal for i in alive], rewards[alive], self._engine.frames[alive]
            )
            for index, state, score, place in zip(alive, states, scores, places, strict=True):
                search, node, macro = part[index]
                child = _Node(state, (*node.macros, macro), float(rewards[index]))
                search.children.append((float(score), place, child))

    def _play(self, states: Sequence[bytes], macros: Int[np.ndarray, "child"]) -> "_Played":
        """Play a macro-action from each state, in the engine's first games."""
        n, engine = len(states), self._engine
        engine.set_states(states, range(n))
        alive, steps_to_goal, rewards = np.ones(n, bool), np.zeros(n, np.int64), np.zeros(n)
        actions = np.full(engine.num_envs, NOTHING, np.int32)
        for step in range(self._macros.shape[1]):
            actions[:n] = self._macros[macros, step]
            engine.act(actions)
            ended = engine.first[:n] & alive
            rewards += np.where(alive, engine.rewards[:n], 0)
            steps_to_goal[ended & (engine.ended_complete[:n] != 0)] = step + 1
            alive &= ~ended
        return _Played(alive, steps_to_goal, rewards)

    def _select(self, search: _Search, iterations: int) -> Plan | None:
        """Keep the best children; a plan when the search is over."""
        search.iterations += 1
        length = self._macros.shape[1]
        if search.wins:
            steps, macros = min(search.wins)
            actions = self._macros[list(macros)].reshape(-1)[: (len(macros) - 1) * length + steps]
            return Plan(actions.astype(np.int64), True)
        kept: dict[Hashable, _Node] = {}
        for _, place, node in sorted(search.children, key=lambda child: -child[0]):
            if len(kept) == self._beam:
                break
            kept.setdefault(place, node)
        search.nodes, search.children = list(kept.values()), []
        if search.nodes:
            search.furthest = search.nodes[0].macros
        if search.nodes and search.iterations < iterations:
            return None
        return Plan(self._macros[list(search.furthest)].reshape(-1).astype(np.int64), False)


class _Played(NamedTuple):
    alive: Bool[np.ndarray, "child"]
    steps_to_goal: Int64[np.ndarray, "child"]
    """Steps until the goal was reached; 0 where it was not."""
    rewards: Float64[np.ndarray, "child"]
