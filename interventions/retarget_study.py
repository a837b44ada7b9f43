"""Retargeting by channels that track the cheese: choose the edit on some mazes, play it on another.

When to use: as the parts of a study in which nothing is measured on what it was chosen on (`maze-retarget`):
`track_goal` on a first set of mazes, `tune` on a second, `study_level` for each of a third.

An edit sets the spot of a target cell in some channels to a multiple of what these channels show at a cheese, and the
rest of their maps to their mean without one: "the cheese is there". `study_level` plays every reachable cell as the
target, against the untouched network, the matched controls of `retarget` and, as what might be had at best, the same
maze with its cheese really moved to the cell.

Source: Turner, MacDiarmid et al. 2023 (arXiv:2310.08043), retargeting; choosing by tuning mazes, playing, controls are
ours.
Cost: `tune`, for each setting and maze, the later layers once for each pair of cell and target; `study_level` cells x
repeats x 6 episodes.

Axes: `cell` targets, `repeat` episodes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from procscope.activations.capture import capture
from procscope.activations.channel_statistics import ChannelStatistics, channel_statistics
from procscope.activations.encoding import encoded
from procscope.agents.episodes import play_episodes, policy
from procscope.envs.cells import Cell
from procscope.envs.level_frames import frames_of_levels
from procscope.envs.maze import MazeLevel
from procscope.interventions.edit_latents import EditLatents
from procscope.interventions.goal_tracking import GoalTracking
from procscope.interventions.intervention import Intervention
from procscope.interventions.retarget import Edit, path_probabilities, retarget, spot_edits
from procscope.interventions.splice import Autoencoder
from procscope.workbench.checkpoints import load_network

MOVED = "cheese moved"
"""The untouched network with the cheese itself on the target cell."""


@dataclass(frozen=True)
class GoalEdit:
    """An edit that is to make any cell the destination."""

    hook_point: str
    channels: tuple[int, ...]
    values: tuple[float, ...]
    """What the spot is set to, channel by channel."""
    means: tuple[float, ...]
    """What the rest of each map is set to."""
    map_size: int
    center: float
    sae: str | None = None
    """File or name of the autoencoder whose latents `channels` are; None for channels of the network."""

    @property
    def units(self) -> str:
        """What `channels` are called."""
        return "channels" if self.sae is None else "latents"

    def edits(self, level: MazeLevel, statistics: ChannelStatistics | None = None) -> Edit:
        """The intervention for each target cell of a level.

        Args:
            statistics: of the latents, for the controls of an edit of latents.
        """
        spots = spot_edits(
            level,
            self.hook_point,
            self.channels,
            value=self.values,
            map_size=self.map_size,
            rest="mean",
            means=self.means,
            center=self.center,
        )
        if self.sae is None:
            return spots
        autoencoder = _autoencoder(self.sae)

        def edit(cell: Cell) -> Intervention:
            return EditLatents(
                self.hook_point, autoencoder=autoencoder, edit=spots(cell), latent_statistics=statistics
            )

        return edit


@dataclass(frozen=True)
class RetargetedLevel:
    """One network, edit and level: all that the results depend on."""

    model: str
    weights_hash: str
    edit: GoalEdit
    level: Mapping[str, Any]
    """As `MazeLevel.to_json` gives it."""
    references: tuple[Mapping[str, Any], ...]
    """Levels whose frames give the channel statistics of the controls."""
    repeats: int
    max_steps: int
    seed: int
    version: int = 1
    """Of this computation; raised when it changes."""


def goal_edit(found: GoalTracking, share: float, times: float, sae: str | None = None) -> GoalEdit:
    """The edit of the channels that track the cheese best, a share of all, at least one.

    Args:
        sae: the autoencoder whose latents `found` is about.
    """
    channels = found.strongest(max(1, round(share * len(found.response))))
    # The change from the mean is multiplied, not the activation: maps before a ReLU have means other than 0.
    values = found.mean + times * (found.at_goal - found.mean)
    return GoalEdit(
        found.hook_point,
        tuple(channels),
        tuple(values[channels].tolist()),
        tuple(found.mean[channels].tolist()),
        found.map_size,
        found.center,
        sae,
    )


@dataclass(frozen=True)
class TunedEdit:
    """An edit and how well it did on the mazes that edits were chosen on."""

    edit: GoalEdit
    share: float
    times: float
    gain: float
    """Mean over targets of the path's probability with the edit less that without (geometric means of its steps)."""


def tune(
    network: nn.Module,
    tracked: Sequence[GoalTracking],
    levels: Sequence[MazeLevel],
    *,
    shares: Sequence[float],
    times: Sequence[float],
    targets: int,
    rng: np.random.Generator,
    saes: Mapping[str, str] | None = None,
) -> list[TunedEdit]:
    """Every edit by its gain on these levels, the best first.

    Args:
        tracked: hook points to choose from.
        saes: by hook point, the autoencoder whose latents were looked at there in place of channels.
        targets: random target cells in each level, the same for all edits.
    """
    chosen = [target_cells(level, rng, targets) for level in levels]
    tried = []
    for found in tracked:
        for share in shares:
            for each in times:
                edit = goal_edit(found, share, each, (saes or {}).get(found.hook_point))
                gains = []
                for level, cells in zip(levels, chosen, strict=True):
                    table = path_probabilities(network, level, edit.edits(level), cells)
                    gains += (table["edit"] - table["untouched"]).tolist()
                tried.append(TunedEdit(edit, share, each, float(np.mean(gains))))
    return sorted(tried, key=lambda one: -one.gain)


def _autoencoder(name: str) -> Autoencoder:
    found: object = load_network(name).network
    if not isinstance(found, Autoencoder):
        raise ValueError(
            f"expected an autoencoder, with `encode` and `decode`; {name} is a {type(found).__name__}"
        )
    return found


def target_cells(level: MazeLevel, rng: np.random.Generator | None = None, count: int = 0) -> list[Cell]:
    """All cells that the mouse can reach but its own and the cheese's; with `rng`, so many of them at random."""
    steps = level.distance_map(level.mouse)
    cells = [(int(x), int(y)) for y, x in np.argwhere(steps > 0) if (x, y) != level.cheese]
    if rng is None or count >= len(cells):
        return cells
    return [cells[i] for i in sorted(rng.choice(len(cells), count, replace=False).tolist())]


def study_level(studied: RetargetedLevel) -> dict[str, Any]:
    """Whether the mouse came to each cell, by arm, as JSON data.

    `x`, `y`, `distance_cells`: of each cell; `came`: by arm ("edit", "untouched", each kind of control, "cheese
    moved"), for each cell the number of the episodes in which the mouse came there; `path`: by "edit" and "untouched",
    the geometric mean of the probabilities along the way.

    Raises ValueError: the network's weights are not those named.
    """
    loaded = load_network(studied.model)
    if loaded.weights_hash != studied.weights_hash:
        raise ValueError(
            f"{studied.model} has the weights {loaded.weights_hash[:16]}, the study is about "
            f"{studied.weights_hash[:16]}. Start it anew with the network as it is now"
        )
    level, network = MazeLevel.from_json(dict(studied.level)), loaded.network
    frames = frames_of_levels([MazeLevel.from_json(dict(each)) for each in studied.references]).frames
    place = studied.edit.hook_point
    read = capture(network, frames, [place], dtype="float32").activations[place]
    measured, latents = channel_statistics(read), None
    if studied.edit.sae is not None:
        latents = channel_statistics(encoded(_autoencoder(studied.edit.sae), read))
    edits, cells = studied.edit.edits(level, latents), target_cells(level)
    play: Mapping[str, Any] = {"seed": studied.seed, "max_steps": studied.max_steps}
    found = retarget(
        network, level, edits, repeats=studied.repeats, statistics={place: measured}, cells=cells, **play
    )
    moved = [level.with_cheese(*cell).to_state() for cell in cells for _ in range(studied.repeats)]
    came = {arm: each.sum(axis=1).tolist() for arm, each in found.came.items()}
    came[MOVED] = (
        play_episodes(policy(network), moved, **play).success.reshape(len(cells), -1).sum(axis=1).tolist()
    )
    paths = path_probabilities(network, level, edits, cells)
    return {
        "x": found.cells[:, 0].tolist(),
        "y": found.cells[:, 1].tolist(),
        "distance_cells": found.distance_cells.tolist(),
        "came": came,
        "path": {arm: paths[arm].round(5).tolist() for arm in ("edit", "untouched")},
    }
