"""Two policies on the same levels: the numbers worked out again, the text, the plot, the command."""

import re
from dataclasses import replace

import numpy as np
import pytest
from fixed_policy import FixedPolicy
from scipy.stats import binomtest

from procscope.agents.compare import compare
from procscope.agents.evaluate import evaluate
from procscope.agents.evaluation_text import comparison_text
from procscope.agents.success_plot import plot_success
from procscope.workbench.checkpoints import load_network, save_checkpoint
from procscope.workbench.cli import main
from procscope.workbench.statistics import wilson

UP, RIGHT = 5, 7


@pytest.fixture(scope="module")
def up_and_random():
    """Always up, and random play, in the same small set of mazes with the cheese anywhere."""
    return [
        evaluate(policy, variants=["cheese-anywhere"], episodes=60, max_steps=60)
        for policy in (FixedPolicy(UP), FixedPolicy())
    ]


def test_the_numbers_are_those_of_the_pairs_of_episodes(up_and_random):
    first, second = (found.episodes for found in up_and_random)
    found = compare(*up_and_random)
    assert found.first == wilson(int(first.success.sum()), 60)
    assert found.only_second == sum(b and not a for a, b in zip(first.success, second.success, strict=True))
    assert found.only_first == sum(a and not b for a, b in zip(first.success, second.success, strict=True))
    assert min(found.only_first, found.only_second) > 0
    assert found.difference.value == pytest.approx(second.success.mean() - first.success.mean())
    assert found.difference.low < found.difference.value < found.difference.high
    disagree = found.only_first + found.only_second
    assert found.mcnemar_p == pytest.approx(binomtest(found.only_first, disagree).pvalue)
    both = first.success & second.success
    assert both.any()
    assert found.steps_difference == pytest.approx(np.mean(second.steps[both] - first.steps[both]))
    text = comparison_text("up", "random", found)
    assert f"{found.only_first} by up, {found.only_second} by random" in text
    assert re.search(r"difference +\+\d+\.\d%", text)


def test_the_other_way_round_the_difference_turns(up_and_random):
    there, back = compare(*up_and_random), compare(*up_and_random[::-1])
    assert back.difference.value == pytest.approx(-there.difference.value)
    assert (back.only_first, back.mcnemar_p) == (there.only_second, there.mcnemar_p)


def test_evaluations_of_other_levels_are_refused(up_and_random):
    shorter = evaluate(FixedPolicy(UP), variants=["cheese-anywhere"], episodes=59, max_steps=2)
    elsewhere = evaluate(FixedPolicy(UP), variants=["cheese-anywhere"], episodes=60, max_steps=2, seed=1)
    for other in (shorter, elsewhere):
        with pytest.raises(ValueError, match="expected two evaluations of the same levels"):
            compare(up_and_random[0], other)


def test_the_plot_has_a_panel_a_property_and_a_line_a_policy(up_and_random):
    figure = plot_success({"up": up_and_random[0], "random": up_and_random[1]}, "maze")
    assert [axes.get_xlabel() for axes in figure.axes] == ["size (cells)", "cheese to corner (cells)"]
    for axes, name in zip(figure.axes, ("size", "cheese to corner"), strict=True):
        for container, found in zip(axes.containers, up_and_random, strict=True):
            drawn = container.lines[0].get_ydata()
            np.testing.assert_allclose(drawn, [group.success.value for group in found.by[name]])


def test_the_command_compares_and_draws(tiny_run, tmp_path, capsys):
    model, plot = str(tiny_run / "network.safetensors"), tmp_path / "deep" / "both.svg"
    options = ["--episodes", "6", "--max-steps", "20", "--variant", "cheese-anywhere", "--plot", str(plot)]
    assert main(["compare", model, model, *options]) == 0
    output = capsys.readouterr().out
    assert "0 by" in output
    assert re.search(r"McNemar's exact p +1\n", output)
    assert plot.read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--plot", "both.pdf"], "ends in .png or .svg"),
        (["--variant", "no-chese"], "Did you mean no-cheese"),
    ],
)
def test_the_command_refuses_what_makes_no_sense(tiny_run, arguments, message, capsys):
    model = str(tiny_run / "network.safetensors")
    assert main(["compare", model, model, "--episodes", "2", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_models_of_two_games_are_refused(tiny_run, tmp_path, capsys):
    loaded = load_network(tiny_run / "network.safetensors")
    other = tmp_path / "other.safetensors"
    save_checkpoint(
        other, loaded.network, replace(loaded.header, environment={"game": "heist", "mode": "easy"})
    )
    assert main(["compare", str(tiny_run / "network.safetensors"), str(other), "--episodes", "2"]) == 2
    assert "expected two models of one game" in capsys.readouterr().err
