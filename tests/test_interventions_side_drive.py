"""The wish to go right: log odds by hand, channels whose ablation is known, and a network without logits."""

import numpy as np
import pytest
import torch
from torch import nn

from procscope.envs.actions import N_ACTIONS
from procscope.interventions.side_drive import channel_drive, log_odds_of, right_log_odds


class Lighted(nn.Module):
    """Wants right by twice the red of the picture, left by its green; blue does nothing. Channels are the means."""

    def __init__(self) -> None:
        super().__init__()
        self.colours = nn.Identity()

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        mean = self.colours(frames.float().mean(dim=(2, 3)) / 255)
        logits = torch.full((len(frames), N_ACTIONS), -30.0)
        logits[:, 7], logits[:, 1] = 2 * mean[:, 0], mean[:, 1]
        return logits


FRAMES = np.zeros((4, 64, 64, 3), np.uint8)
FRAMES[..., 0] = np.array([0, 51, 102, 255], np.uint8)[:, None, None]
FRAMES[..., 1] = 255
RED = np.array([0, 0.2, 0.4, 1])


def test_log_odds_count_all_actions_of_a_move():
    logits = np.full(N_ACTIONS, -np.inf)
    logits[[6, 7, 8]] = 0.0
    logits[0] = 1.0
    assert log_odds_of(logits) == pytest.approx(np.log(3) - 1)


def test_a_channel_at_its_mean_changes_what_it_said_of_each_frame():
    network = Lighted()
    np.testing.assert_allclose(right_log_odds(network, FRAMES), 2 * RED - 1, atol=1e-6)
    drive = channel_drive(network, FRAMES, "colours")
    np.testing.assert_allclose(drive.untouched, 2 * RED - 1, atol=1e-6)
    np.testing.assert_allclose(drive.change[0], 2 * (RED.mean() - RED), atol=1e-6)
    np.testing.assert_allclose(drive.change[1:], 0, atol=1e-6)
    assert drive.strongest(1, np.array([False, False, False, True])) == (0,), "there its mean is less"
    assert 0 not in drive.strongest(2, np.array([True, False, False, False])), "there its mean is more"
    assert drive.ablation((0,)).means == pytest.approx((0.4,))
    with pytest.raises(ValueError, match="expected 1 to 3 channels of 'colours'; given 4"):
        drive.strongest(4, np.ones(4, bool))
