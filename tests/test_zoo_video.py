"""Videos of play: the same episodes as the evaluation's, true last frames, files small enough."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from procscope.activations.memory import PolicyMemory
from procscope.agents.episodes import play_episodes, policy
from procscope.agents.networks.drc import Drc
from procscope.envs.engine import FRAME_SIZE, scratch_engine
from procscope.envs.starting_states import starting_states
from procscope.workbench.cli import main
from procscope.zoo import load
from procscope.zoo.video import BORDER, GREEN, GREY, RED, Play, gif_bytes, record_play


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    return load("maze-easy-topright").network


@pytest.fixture(scope="module")
def play(network) -> Play:
    return record_play(network, game="maze", games=4, max_steps=11, seed=3, greedy=True)


def test_the_levels_are_unseen_and_the_first_frames_are_theirs(play):
    assert play.level_seeds.min() >= 10**9
    states = starting_states("maze", play.level_seeds.tolist())
    np.testing.assert_array_equal(play.frames[0], scratch_engine("maze").render(states))


def test_it_plays_what_the_evaluation_plays(play, network):
    states = starting_states("maze", play.level_seeds.tolist())
    played = play_episodes(policy(network), states, greedy=True, max_steps=11)
    np.testing.assert_array_equal(play.success, played.success)
    np.testing.assert_array_equal(play.lengths, np.where(play.ended, played.steps, 11))
    assert 0 < play.success.sum() < 4, "a seed with both kinds of episodes tests more"


def test_ended_games_stay_on_their_true_last_frame(play):
    for game in np.flatnonzero(play.ended):
        at_end = play.frames[play.lengths[game], game]
        assert (play.frames[play.lengths[game] :, game] == at_end).all()
        changed = (at_end != play.frames[play.lengths[game] - 1, game]).any(axis=2).mean()
        assert 0 < changed < 0.05, "the mouse moved by a cell; another level would differ all over"


def test_the_same_seed_gives_the_same_play(network):
    runs = [record_play(network, game="maze", games=2, max_steps=6, seed=seed) for seed in (5, 5, 6)]
    np.testing.assert_array_equal(runs[0].frames, runs[1].frames)
    assert runs[0].level_seeds.tolist() != runs[2].level_seeds.tolist()


def test_the_gif(play):
    picture = Image.open(io.BytesIO(gif_bytes(play)))
    side = 3 * FRAME_SIZE + 2 * BORDER
    assert picture.size == (4 * side, side)
    assert picture.n_frames == len(play.frames)
    picture.seek(picture.n_frames - 1)
    last = np.asarray(picture.convert("RGB")).astype(int)
    for game in range(4):
        color = (GREEN if play.success[game] else RED) if play.ended[game] else GREY
        part = last[:, game * side : (game + 1) * side]
        assert abs(part[0, 0] - color).max() < 40
        shown = part[BORDER:-BORDER, BORDER:-BORDER][1::3, 1::3]
        assert abs(shown - play.frames[-1, game]).mean() < 12, "the frame in fewer colours"


def test_a_smaller_file_is_coarser_and_too_small_a_one_is_refused(play):
    short = replace(play, frames=play.frames[:3])
    best = gif_bytes(short)
    small = gif_bytes(short, largest_bytes=len(best) // 2)
    assert len(small) < len(best) // 2
    with pytest.raises(ValueError, match=r"take .* bytes at the least; expected fewer than 1,000"):
        gif_bytes(short, largest_bytes=1000)


def test_a_recurrent_network_is_given_its_memory_back():
    network = Drc(channels=3, layers=1, ticks=1, hidden=4)
    frames = np.random.default_rng(0).integers(0, 256, (3, 2, 64, 64, 3), dtype=np.uint8)
    first = np.array([[True, True], [False, False], [False, True]])
    memory = PolicyMemory(network, 2)
    found = [memory.logits(*step) for step in zip(frames, first, strict=True)]
    state = network.initial_state(2)
    for step in range(3):
        with torch.no_grad():
            state = state * torch.from_numpy(~first[step])[:, None, None, None, None, None]
            output = network(torch.from_numpy(frames[step]).permute(0, 3, 1, 2), state)
        state = output.state
        np.testing.assert_allclose(found[step], output.logits.numpy(), atol=1e-5)
    assert record_play(network, game="maze", games=2, max_steps=2).frames.shape == (3, 2, 64, 64, 3)


def test_misuse(network):
    with pytest.raises(ValueError, match="games and max_steps must be at least 1; given: 0, 5"):
        record_play(network, game="maze", games=0, max_steps=5)


def test_command(tmp_path, capsys):
    out = tmp_path / "videos" / "video.gif"
    options = ["--games", "2", "--max-steps", "8", "--variant", "unedited"]
    assert main(["zoo", "video", "maze-easy-topright", "--out", str(out), *options]) == 0
    printed = capsys.readouterr().out
    assert printed.count("level 1") == 2
    assert "video.gif: " in printed
    assert Image.open(out).n_frames > 1
