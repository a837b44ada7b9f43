"""Tell a Heist network that its key lies elsewhere, in single forward passes: by a spot, by a patch, by a vector.

When to use: to find what in a layer sends the agent to a key. In a `MovedPair` the key lies in one of two places, to
which different moves lead; the network sees the first level and is edited as if it were the second.

    place = read_place(network, pairs, tracking_levels, "block2.res2", center)
    effects = fake_effects(network, place, {"patch 4": place.patched(place.tracked.strongest(4))})
    effects["patch 4"].share                      # of what really moving the key does

The effect is the change of log odds of the first move to the other place against that to the key's own; its *share* is
the mean over pairs divided by the mean of really moving the key. A patch of a whole layer that all passes through has
a share of 1.

- `patched`: some channels become what they are in the moved level, everywhere, near the two places, or elsewhere.
- `vector`: what a key adds to all channels at its own place, on average over other levels, is added at the other place,
  and taken away at its own.
- spots (`SetSpot`) are made by `spot_arm`.

Source: notes on a Heist agent (S4), "Performing spatial interventions" and the four explanations of their failure.
Cost: two passes of the pairs, then the later layers once for each arm and pair.

Axes: `pair`; `channel row col` of the map; `rowcol` a position.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, UInt8
from torch import nn

from procscope.activations.capture import capture
from procscope.activations.channel_statistics import ChannelStatistics, channel_statistics
from procscope.envs.actions import move_probabilities
from procscope.envs.heist import HeistLevel
from procscope.envs.heist.pairs import MovedPair
from procscope.envs.heist.value import WORLD_CELLS
from procscope.envs.level_frames import frames_of_levels
from procscope.envs.maze.geometry import MazeGeometry
from procscope.interventions.carried import log_odds
from procscope.interventions.effects import action_kl
from procscope.interventions.frame_sweep import sweep_frames
from procscope.interventions.goal_tracking import GoalTracking, track_key
from procscope.interventions.intervention import Intervention
from procscope.interventions.named_arms import UNTOUCHED, GivenArm
from procscope.interventions.patch import Patch
from procscope.interventions.spot import Rest, SetSpot
from procscope.interventions.steer import Steer
from procscope.workbench.statistics import Interval, bootstrap


@dataclass(frozen=True, eq=False)
class FakePlace:
    """One hook point as the network has it in both levels of every pair."""

    hook_point: str
    frames: UInt8[np.ndarray, "pair height width rgb"]
    maps: Float[np.ndarray, "pair channel row col"]
    moved_maps: Float[np.ndarray, "pair channel row col"]
    spots: Int[np.ndarray, "pair rowcol"]
    """Position that looks at the key's own place."""
    moved_spots: Int[np.ndarray, "pair rowcol"]
    """Position that looks at the other place."""
    moves: Int[np.ndarray, "pair which"]
    """First moves to the own and to the other place."""
    logits: Float[np.ndarray, "pair action"]
    moved_logits: Float[np.ndarray, "pair action"]
    tracked: GoalTracking
    """On other levels."""
    statistics: ChannelStatistics
    """Of those levels."""
    key_vector: Float[np.ndarray, "channel near near"]
    """What a key adds to all channels round its own place, out to `reach`: mean of those levels."""

    @property
    def n_channels(self) -> int:
        return self.maps.shape[1]

    @property
    def map_size(self) -> int:
        return self.maps.shape[-1]

    @property
    def near(self) -> Bool[np.ndarray, "pair row col"]:
        """Positions within `reach` of either place."""
        return _near(self.spots, self.map_size) | _near(self.moved_spots, self.map_size)

    def patched(
        self, channels: Sequence[int], where: Bool[np.ndarray, "pair row col"] | None = None
    ) -> Patch:
        """These channels as in the moved level, at some positions of each pair or at all."""
        kept = np.zeros_like(self.maps, dtype=bool)
        kept[:, list(channels)] = True if where is None else where[:, None]
        return Patch.of(np.where(kept, self.moved_maps, self.maps), self.hook_point, per_frame=True)

    def spot_arm(
        self, channels: Sequence[int], times: float, rest: Rest, value: float | None = None, radius: int = 0
    ) -> GivenArm:
        """Pair by pair, the other place's spot of some channels at so many times their largest value, or at a value."""

        def arm(pair: int) -> Intervention:
            shared = {"spot": self.moved_spots[pair].tolist(), "rest": rest, "radius": radius}
            shared["map_size"] = (self.map_size, self.map_size)
            if rest == "mean":
                shared["means"] = self.statistics.mean[list(channels)].tolist()
            if value is not None:
                return SetSpot(self.hook_point, channels, value=value, **shared)
            return SetSpot.times_maximum(self.statistics, self.hook_point, channels, times=times, **shared)

        return arm

    def vector(self, times: float, channels: Sequence[int] | None = None) -> Steer:
        """What a key adds, so many times: added at the other place, taken away at its own; of some channels."""
        added = np.zeros(self.maps.shape, dtype=np.float32)
        what = np.zeros_like(self.key_vector)
        chosen = list(range(self.n_channels)) if channels is None else list(channels)
        what[chosen] = self.key_vector[chosen]
        for pair in range(len(added)):
            _put(added[pair], self.moved_spots[pair], times * what)
            _put(added[pair], self.spots[pair], -times * what)
        return Steer(self.hook_point, vector=added, per_frame=True)


def read_place(
    network: nn.Module,
    pairs: Sequence[MovedPair],
    tracking_levels: Sequence[HeistLevel],
    hook_point: str,
    center: float,
) -> FakePlace:
    """Run both levels of every pair, and the levels on which channels are chosen.

    Args:
        tracking_levels: others than those of the pairs, with one key each.
        center: where the middle of what a position looks at lies (`procscope.envs.maze.geometry`).

    Raises ValueError: no pairs, a network without logits, and as `track_key`.
    """
    if not pairs:
        raise ValueError("expected at least one pair of levels; given none")
    tracked = track_key(network, tracking_levels, hook_point, center)
    frames = [frames_of_levels([pair[which] for pair in pairs]).frames for which in (0, 1)]
    read = [capture(network, each, [hook_point], dtype="float32") for each in frames]
    size = tracked.map_size
    cells = np.array([[way[-1] for way in pair.ways] for pair in pairs])
    spots = spots_of(cells, len(pairs[0].level.walls), size, center)
    bare = [level.without_key(level.keys[0].colour, allow_unsolvable=True) for level in tracking_levels]
    lying, none = (
        capture(network, frames_of_levels(each).frames, [hook_point], dtype="float32").activations[hook_point]
        for each in (tracking_levels, bare)
    )
    own = np.array([level.keys[0].cell for level in tracking_levels])
    at = spots_of(own, len(pairs[0].level.walls), size, center)
    return FakePlace(
        hook_point,
        frames[0],
        read[0].activations[hook_point],
        read[1].activations[hook_point],
        spots[:, 0],
        spots[:, 1],
        np.array([pair.moves for pair in pairs], dtype=np.int64),
        read[0].logits_of(network),
        read[1].logits_of(network),
        tracked,
        channel_statistics(lying),
        np.mean([_window(change, spot) for change, spot in zip(lying - none, at, strict=True)], axis=0),
    )


@dataclass(frozen=True, eq=False)
class FakeEffect:
    """What one edit does, pair by pair, beside really moving the key."""

    toward: Float64[np.ndarray, " pair"]
    """Change of the log odds of the move to the other place against the move to the own one."""
    moved_toward: Float64[np.ndarray, " pair"]
    """The same of really moving the key."""
    switched: Bool[np.ndarray, " pair"]
    """Whether the most probable move is the one to the other place."""
    action_kl: Float64[np.ndarray, " pair"]
    """From the untouched choice, in nats."""

    @property
    def share(self) -> Interval:
        """Mean effect over the mean of moving the key, bootstrapped over pairs."""
        return share_of_moving(self.toward, self.moved_toward)


def share_of_moving(toward: Float64[np.ndarray, " pair"], moved: Float64[np.ndarray, " pair"]) -> Interval:
    """Ratio of the means. Raises ValueError: moving the key does nothing, or fewer than two pairs."""
    if len(moved) < 2 or abs(moved.mean()) < 1e-9:
        raise ValueError(
            f"moving the key changes the log odds by {moved.mean():.3g} in {len(moved)} pairs: no share"
        )
    return bootstrap(lambda a, b: float(a.mean() / b.mean()), toward, moved, rng=np.random.default_rng(0))


def fake_effects(network: nn.Module, place: FakePlace, arms: Mapping[str, GivenArm]) -> dict[str, FakeEffect]:
    """The effect of every arm, and of none under "untouched"."""
    sweep = sweep_frames(network, place.frames, arms, controls=False)
    base = log_odds(place.logits[None], place.moves)[0]
    moved = log_odds(place.moved_logits[None], place.moves)[0] - base
    found = {}
    for name in (UNTOUCHED, *arms):
        logits = sweep.logits[name]
        chances = move_probabilities(logits.astype(np.float64))
        found[name] = FakeEffect(
            log_odds(logits[None], place.moves)[0] - base,
            moved,
            chances.argmax(axis=1) == place.moves[:, 1],
            action_kl(place.logits, logits[None])[0],
        )
    return found


def reach(map_size: int) -> int:
    """Rows and columns that the neighbourhood of a place extends: as many as a cell of easy mode takes, or 1."""
    return max(1, round(map_size / WORLD_CELLS["easy"]))


def spots_of(
    cells: Int[np.ndarray, "*cell xy"], world: int, map_size: int, center: float
) -> Int[np.ndarray, "*cell rowcol"]:
    """The positions that look at cells of a Heist world, moved into the map."""
    geometry = MazeGeometry.of_frames(world, world)
    return np.clip(geometry.cell_to_position(cells, map_size, center), 0, map_size - 1)


def _near(spots: Int[np.ndarray, "pair rowcol"], size: int) -> Bool[np.ndarray, "pair row col"]:
    rows, cols = np.indices((size, size))
    row, col = spots[:, 0, None, None], spots[:, 1, None, None]
    return (np.abs(rows - row) <= reach(size)) & (np.abs(cols - col) <= reach(size))


def _window(maps: Float[np.ndarray, "channel row col"], spot: np.ndarray) -> np.ndarray:
    """The positions within `reach` of a spot; 0 beyond the map's edge."""
    out = reach(maps.shape[-1])
    padded = np.pad(maps, ((0, 0), (out, out), (out, out)))
    row, col = spot.tolist()
    return padded[:, row : row + 2 * out + 1, col : col + 2 * out + 1]


def _put(maps: Float[np.ndarray, "channel row col"], spot: np.ndarray, what: np.ndarray) -> None:
    """Add a window of numbers round a spot, in place; what lies beyond the edge is left out."""
    size, out, (row, col) = maps.shape[-1], reach(maps.shape[-1]), spot.tolist()
    top, left = row - out, col - out
    rows, cols = slice(max(top, 0), min(row + out + 1, size)), slice(max(left, 0), min(col + out + 1, size))
    maps[:, rows, cols] += what[:, rows.start - top : rows.stop - top, cols.start - left : cols.stop - left]
