"""Channels that track the cheese, and edits of them: on a network that is built to have one such channel."""

import numpy as np
import pytest
import torch
from torch import nn
from untrained_impala import untrained_impala

from procscope.envs.level_frames import frames_of_levels
from procscope.envs.maze import MazeLevel
from procscope.interventions.goal_tracking import center_of, track_goal
from procscope.interventions.retarget_study import goal_edit, target_cells, tune
from procscope.saes.sae import Sae
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import save_checkpoint

LEVELS = [MazeLevel.generate(9, np.random.default_rng(seed)) for seed in range(6)]


class Pixels(nn.Module):
    """Maps of 16 x 16: nothing, the mean red of 4 x 4 pixels, and a constant."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Identity()
        self.anchor = nn.Parameter(torch.zeros(1))

    def forward(self, frames):
        pooled = nn.functional.avg_pool2d(frames.float() / 255, 4)
        zero = torch.zeros_like(pooled[:, :1])
        maps = self.maps(torch.cat([zero, pooled[:, :1], zero + 3], 1))
        logits = torch.zeros(len(frames), 15)
        logits[:, 7] = maps[:, 1].sum((1, 2))
        return logits


def test_a_channel_that_shows_pixels_tracks_the_cheese():
    found = track_goal(Pixels(), LEVELS, "maps")
    assert found.strongest(1) == [1]
    assert found.response[0] == found.response[2] == found.concentration[0] == 0
    assert found.concentration[1] == 1, "nothing but the cheese's cell changes"
    assert found.chance == 9 / 256
    # By hand: what the cheese changes in the mean of 4 x 4 pixels of red, at the position that looks at its cell.
    frames = frames_of_levels(LEVELS).frames[..., 0].astype(float) / 255
    bare = frames_of_levels([level.without_cheese() for level in LEVELS]).frames[..., 0].astype(float) / 255
    pooled, without = (each.reshape(6, 16, 4, 16, 4).mean(axis=(2, 4)) for each in (frames, bare))
    changes = np.abs(pooled - without)
    assert (changes.reshape(6, -1).max(axis=1) > 0).all()
    np.testing.assert_allclose(found.mean[1], without.mean(), rtol=1e-5)
    peak = np.abs(found.response[1]) * without.std()
    assert peak <= changes.reshape(6, -1).max(axis=1).mean() + 1e-6


def test_centres_are_those_of_impalas_pools():
    assert center_of(8) == 1 / 16
    assert center_of(64) == 0.5


def test_edits_say_what_the_channels_say_at_a_cheese():
    found = track_goal(Pixels(), LEVELS, "maps")
    edit = goal_edit(found, 1 / 3, 2.0)
    assert edit.channels == (1,)
    assert edit.values[0] == pytest.approx(found.mean[1] + 2 * (found.at_goal[1] - found.mean[1]))
    assert edit.means[0] == pytest.approx(found.mean[1])
    one = edit.edits(LEVELS[0])((0, 0))
    assert one.rest == "mean"
    assert one.map_size == (16, 16)
    assert one.spot[0] > one.spot[1], "bottom left: low down, far to the left"
    assert len(goal_edit(found, 0.01, 1.0).channels) == 1


def test_tuning_puts_the_edit_that_helps_most_first():
    tried = tune(
        Pixels(),
        [track_goal(Pixels(), LEVELS, "maps")],
        LEVELS[:2],
        shares=[1 / 3],
        times=[0.0, 4.0],
        targets=5,
        rng=np.random.default_rng(0),
    )
    assert [one.gain for one in tried] == sorted((one.gain for one in tried), reverse=True)
    assert {one.times for one in tried} == {0.0, 4.0}


def test_targets_are_all_cells_but_the_mouses_and_the_cheeses():
    level = LEVELS[0]
    cells = target_cells(level)
    assert set(cells) == set(level.free_cells()) - {level.mouse, level.cheese}
    drawn = target_cells(level, np.random.default_rng(0), 7)
    assert len(drawn) == len(set(drawn)) == 7
    assert set(drawn) < set(cells)


@pytest.mark.parametrize(
    ("levels", "place", "message"),
    [
        (LEVELS[:1], "maps", "at least two levels"),
        ([LEVELS[0].without_cheese(), LEVELS[1]], "maps", "all with a cheese"),
        (LEVELS, "anchored", "anchored"),
    ],
)
def test_misuse(levels, place, message):
    with pytest.raises(ValueError, match=message):
        track_goal(Pixels(), levels, place)


def test_vectors_have_no_spots():
    with pytest.raises(ValueError, match="Choose a hook point before the flattening"):
        track_goal(untrained_impala(), LEVELS, "fc")


def test_latents_take_the_place_of_channels(tmp_path):
    """An autoencoder whose latent 2 is twice channel 1: the same spot, set by half as much."""
    sae = Sae(3, 4, "relu")
    with torch.no_grad():
        sae.W_enc[1, 2], sae.W_dec[2, 1] = 2.0, 0.5
    path = tmp_path / "sae.safetensors"
    save_checkpoint(path, sae, CheckpointHeader("sae", options=sae.options))
    channels, latents = track_goal(Pixels(), LEVELS, "maps"), track_goal(Pixels(), LEVELS, "maps", sae)
    assert latents.strongest(1) == [2]
    assert latents.response[2] == pytest.approx(channels.response[1])
    assert latents.at_goal[2] == pytest.approx(2 * channels.at_goal[1])
    edit = goal_edit(latents, 1 / 4, 2.0, str(path))
    assert (edit.channels, edit.units) == ((2,), "latents")
    x = torch.rand(2, 3, 16, 16)
    by_channel = goal_edit(channels, 1 / 3, 2.0).edits(LEVELS[0])((3, 4)).replaced(x)
    torch.testing.assert_close(edit.edits(LEVELS[0])((3, 4)).replaced(x), by_channel)
