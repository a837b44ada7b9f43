"""Probes, flips, growth and pictures, on a network whose weights were written by hand."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from life_network import life_network
from PIL import Image

from procscope.imagination.bit_boards import step as bit_step
from procscope.imagination.cell_flips import ARMS, flip_cells, pattern_means, patterns
from procscope.imagination.confusion_plot import Confusion, plot_confusions
from procscope.imagination.evaluation import evaluate
from procscope.imagination.growing_picture import HEART, GrowingPicture, subset_and_coverage
from procscope.imagination.life import Life
from procscope.imagination.network import Imaginer
from procscope.imagination.sequence_film import FilmRow, contact_sheet, sequence_gif
from procscope.imagination.shown_sequences import shown
from procscope.imagination.state_probes import core_states, probe_score, probe_table
from procscope.workbench.figures import rendered
from procscope.workbench.runs import RunRecord

WORLD = Life(side=8)


def boards(n: int, steps: int, seed: int):
    return WORLD.rollouts(n, steps, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("residual", [True, False])
def test_the_network_written_by_hand_imagines_every_state(residual: bool) -> None:
    rollouts, network = boards(200, 3, 0), life_network(3, residual)
    found = evaluate(network, rollouts, 2)
    assert found.one_to_one == 1
    assert found.matches[0, 1] == found.matches[1, 2] == 1
    assert np.array_equal(shown(network, rollouts, 2), rollouts.states.numpy())


def test_probes_find_each_state_where_it_is() -> None:
    network = life_network(3)
    untrained = Imaginer(3, width=4)
    table = probe_table(network, untrained, WORLD, boards(80, 3, 1), boards(50, 3, 2))
    for step in range(4):
        assert table.steps[step, step] == pytest.approx(1.0)
    assert table.board[0] == pytest.approx(1.0)
    assert table.board[1] < 0.9  # the rule is not linear in nine cells
    assert table.steps[1, 3] < 0.9
    assert table.untrained.shape == (4, 4)


def test_a_probe_of_noise_is_at_chance() -> None:
    rollouts = boards(200, 1, 3)
    noise = torch.randn(200, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    score = probe_score(noise[:100], rollouts.states[:100, 1], noise[100:], rollouts.states[100:, 1], "torus")
    assert abs(score - 0.5) < 0.03
    assert len(core_states(life_network(2), rollouts)) == 3


def test_a_flip_of_the_held_state_acts_as_the_rules_say() -> None:
    network = life_network(3)
    generator = torch.Generator().manual_seed(0)
    for step, time in ((1, 2), (2, 3)):
        found = flip_cells(network, WORLD, step, time, boards(500, 3, 4), boards(200, 3, 5), generator)
        assert set(found) == set(ARMS)
        assert found["flip"].exact.all()
        assert np.nanmin(found["flip"].changed) == 1
        assert found["flip"].kept.min() == 1
        assert found["random"].exact.mean() < 0.9
        assert found["another"].exact.mean() < 1
    flipped_before = flip_cells(network, WORLD, 1, 3, boards(500, 3, 4), boards(200, 3, 5), generator)
    assert flipped_before["flip"].exact.mean() < 0.5  # the state after step 1 is s_2, not s_3


def test_patterns_number_the_neighbourhood() -> None:
    board = torch.zeros(1, 5, 5, dtype=torch.uint8)
    board[0, 0, 0] = 1
    numbers = patterns(board, "torus")[0]
    assert numbers[0, 0] == 1 << 4
    assert numbers[1, 1] == 1 << 0  # it is the top left of the cell below and to the right
    assert numbers[4, 4] == 1 << 8  # and, round the edge, the bottom right of the last one
    assert patterns(board, "dead")[0, 4, 4] == 0


def test_means_are_of_the_cells_with_a_pattern() -> None:
    rollouts = boards(20, 1, 6)
    states = torch.randn(20, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    means = pattern_means(states, rollouts.states[:, 0], "torus")
    numbers = patterns(rollouts.states[:, 0], "torus")
    number = int(numbers.flatten().mode().values)
    expected = states.permute(0, 2, 3, 1)[numbers == number].mean(0)
    assert torch.allclose(means[number], expected, atol=1e-6)


def test_flips_of_taught_states_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a step from 1 to 2 and a time from 2 to 3; given: 3 and 2"):
        flip_cells(life_network(3), WORLD, 3, 2, boards(5, 3, 0), boards(5, 3, 1), torch.Generator())


def test_a_picture_grows_from_its_seed() -> None:
    world = GrowingPicture()
    rollouts = world.rollouts(50, 4, torch.Generator().manual_seed(0))
    cells = sum(row.count("#") for row in HEART)
    assert (rollouts.states[:, -1].sum(dim=(1, 2)) == cells).all()
    assert (rollouts.states[:, 0].sum(dim=(1, 2)) == 1).all()
    growth = subset_and_coverage(rollouts.states[:, 1:-1].numpy(), rollouts)
    assert (growth.subset == 1).all()
    assert (np.diff(growth.coverage) >= 0).all()
    seeds = rollouts.states[:, 0].flatten(1).argmax(1)
    assert len(seeds.unique()) > 20
    nothing = subset_and_coverage(np.zeros((50, 1, 16, 16), dtype=np.uint8), rollouts)
    assert np.isnan(nothing.subset[0])
    assert nothing.coverage[0] == 0


def test_pictures_that_cannot_grow_are_refused() -> None:
    with pytest.raises(ValueError, match=r"as many rows as columns.*given: \('##',\)"):
        GrowingPicture(("##",))
    with pytest.raises(ValueError, match=r"1 steps of 2 cells cannot reach.*4 cells away"):
        GrowingPicture().rollouts(1, 1, torch.Generator())


def test_a_film_shows_every_time_beside_the_truth() -> None:
    rollouts = boards(2, 3, 7)
    true = rollouts.states.numpy()
    wrong = true.copy()
    wrong[:, 1] = 1 - wrong[:, 1]
    rows = [FilmRow(a, [a, b]) for a, b in zip(true, wrong, strict=True)]
    film = Image.open(io.BytesIO(sequence_gif(rows, ["right", "wrong"])))
    assert film.n_frames == 4
    sheet = contact_sheet(rows, ["right", "wrong"])
    assert sheet.shape[1] == 4 * film.width
    second = sheet[:, film.width : 2 * film.width]
    assert (second == (0, 158, 115)).all(axis=2).any()  # green: matches the state of its time
    assert (second == (213, 94, 0)).all(axis=2).any()  # red: matches none
    with pytest.raises(ValueError, match="each shown as 1 named sequences"):
        sequence_gif(rows, ["right"])


def test_confusions_are_drawn() -> None:
    figure = plot_confusions([Confusion(f"panel {i}", np.eye(2, 4)) for i in range(5)])
    shown_panels = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown_panels) == 5
    assert [text.get_text() for text in shown_panels[0].texts][:4] == ["1.00", "0.00", "0.00", "0.00"]
    assert rendered(figure).png[:4] == b"\x89PNG"


def test_a_report_shows_an_animation(tmp_path: Path) -> None:
    record = RunRecord.create(tmp_path, "films", {}, "test", seed=0)
    rows = [FilmRow(states, [states]) for states in boards(1, 2, 8).states.numpy()]
    gif = sequence_gif(rows, ["same"])
    record.animation("film", gif, "A film")
    page = record.finish().read_text()
    assert "data:image/gif;base64," in page
    assert (record.directory / "figures" / "film.gif").read_bytes() == gif
    other = RunRecord.create(tmp_path, "films", {}, "test", seed=0)
    with pytest.raises(ValueError, match="the bytes of a GIF"):
        other.animation("film", b"PNG", "No film")


def test_the_border_of_words_is_checked() -> None:
    with pytest.raises(ValueError, match="torus"):
        bit_step(torch.zeros(4, 4, 1, dtype=torch.int64), "flat")
