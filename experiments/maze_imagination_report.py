"""How `maze-imagination` tells what it found, of our planners and of the policies; failures included."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from procscope.experiments.maze_imagination_numbers import DECODERS, PlannerResults, PolicyResults
from procscope.experiments.maze_imagination_policies import PIXELS, UNTRAINED
from procscope.experiments.maze_imagination_setup import Config
from procscope.imagination.confusion_plot import Confusion, plot_confusions
from procscope.imagination.study_film import study_film
from procscope.workbench.figures import COLOURS, ORDER, styled, subplots
from procscope.workbench.ledger import Ledger
from procscope.workbench.statistics import wilson


class PlannerRow(NamedTuple):
    """A line of the planners' table."""

    target: str
    networks: int
    counted: int
    accuracy: str
    own_decoder: str
    adversarial: str
    highest_floor: str
    minutes: str


def write_report(
    ledger: Ledger,
    config: Config,
    planners: Sequence[PlannerResults],
    policies: Sequence[PolicyResults],
    trainings: Path,
) -> None:
    """Add prose, tables, figures and films to the record."""
    if planners:
        _tell_planners(ledger, config, planners, trainings)
    _tell_policies(ledger, policies)


def _tell_planners(
    ledger: Ledger, config: Config, planners: Sequence[PlannerResults], trainings: Path
) -> None:
    ledger.record.say(
        "Planners of our own",
        "The text's method did not work on a larger network that was trained on chess. A small planner is closer at "
        f"hand: a network of {config.steps} steps that is taught, of a real maze, which cells lie within "
        f"{config.steps} steps of the mouse (`reached`), how far each is (`distance`), or only which cell to step on "
        "next to get to a cheese that is at most so far away (`best-move`). What lies between is a flood from the "
        "mouse, which the network is never shown. A maze is mostly wall, so that two states count as a match here "
        "only if every cell is equal.\n\n"
        + "\n".join(
            f"- {planner.target}: {ledger.quote('S2.planner/metric', target=planner.target, decoder='plain')} by its "
            f"own decoder, {ledger.quote('S2.planner/metric', target=planner.target, decoder='adversarial')} by the "
            "adversarial one"
            for planner in planners
        ),
    )

    def row(planner: PlannerResults) -> PlannerRow:
        floors = [
            float(np.mean([result["floors"][name][0] for result in planner.counted]))
            for name in (planner.counted[0]["floors"] if planner.counted else ())
        ]
        return PlannerRow(
            planner.target,
            len(planner.results),
            len(planner.counted),
            f"{np.mean([result['accuracy'] for result in planner.results]):.4f}",
            ledger.quote("S2.planner/metric", target=planner.target, decoder="plain"),
            ledger.quote("S2.planner/metric", target=planner.target, decoder="adversarial"),
            f"{max(floors):.3f}" if floors else "",
            f"{np.median([result['seconds'] for result in planner.results]) / 60:.1f}",
        )

    ledger.record.table(
        "planners",
        [row(planner) for planner in planners],
        "Accuracy: of the cells of the taught state, most of which are wall. The metric counts states that match in "
        "every cell.",
    )
    panels = [
        Confusion(
            f"{planner.target}\n({'own' if decoder == 'plain' else decoder} decoder)",
            np.mean([result[decoder]["matches"] for result in planner.counted], axis=0),
        )
        for planner in planners
        if planner.counted
        for decoder in DECODERS
    ]
    if panels:
        ledger.record.figure(
            "planners",
            plot_confusions(panels),
            "Which imagined state equals which true one in every cell: share of sequences.",
        )
    for planner in planners:
        film = study_film(planner.members, planner.results, trainings, config.filmed)
        if film is not None:
            ledger.record.animation(
                f"film-{planner.target}",
                film,
                f"{planner.target}: true states, and what the network shows of them. Walls are shaded. Grey frames: "
                "taught; green: equals the true state of its time; orange: equals another between; red: equals none.",
            )


def _tell_policies(ledger: Ledger, policies: Sequence[PolicyResults]) -> None:
    for policy in policies:

        def choice(steps: int, place: str, policy: PolicyResults = policy) -> str:
            return ledger.quote("S2.planning/choice", model=policy.name, steps=steps, layer=place)

        lines = [
            f"- {steps} cells ahead: {choice(steps, policy.best_layer(steps))} at `{policy.best_layer(steps)}`, "
            f"{choice(steps, PIXELS)} from the frame's pixels, {choice(steps, UNTRAINED)} from an untrained network, "
            f"{100 * policy.chance(steps):.1f}% by chance, {100 * policy.knowing_next[steps - 1]:.1f}% by one who "
            "knows the next cell and nothing more"
            for steps in policy.steps
        ]
        taught = policy.found["layers"]

        def quoted(quantity: str, policy: PolicyResults = policy) -> str:
            return ledger.quote(f"S2.planning/{quantity}", model=policy.name)

        ledger.record.say(
            f"{policy.name}: does a layer know where the path goes?",
            f"A policy trained with {policy.training}. Of all cells that are so many steps away from the mouse, a "
            "linear probe chooses the one on the way to the cheese, right in:\n\n"
            + "\n".join(lines)
            + f"\n\nThe adversarial decoder is taught that `{taught[0]}` shows the mouse and `{taught[-1]}` the cell "
            f"that the policy steps on next; of {', '.join(f'`{name}`' for name in taught[1:-1])} it is only to show "
            "what looks like a cell of the maze. On mazes that it has not seen, it shows the mouse's cell in "
            f"{quoted('first_right')} and the next cell in {quoted('last_right')}. What it shows between is a cell of "
            f"the path ahead with a metric of {quoted('metric')}; a copy of the cell that is stepped on next would "
            f"score {max(policy.found['floors'].values()):.3f}. So the states between "
            + (
                "are no path: they add nothing to what is taught at the end."
                if not _is_above(ledger, policy)
                else "hold more of the path than the taught end says."
            ),
        )
    if policies:
        ledger.record.figure(
            "choices",
            plot_choices(policies),
            "How often a linear probe of a layer chooses the right one of the cells that are so many steps away; the "
            "shaded area is chance, the thin line what knowing the next cell alone would give. One step ahead is the "
            "policy's own next move.",
        )
        ledger.record.figure(
            "policies",
            plot_confusions(
                [
                    Confusion(f"{policy.name}\n(adversarial decoder)", np.array(policy.found["matches"]))
                    for policy in policies
                ],
                columns=3,
            ),
            "Which shown cell is which cell of the path: s1 the mouse's, s2 the next one, and so on; share of mazes.",
        )


def _is_above(ledger: Ledger, policy: PolicyResults) -> bool:
    entry = ledger.find("S2.planning/above_floor", model=policy.name)
    low = getattr(entry, "ci_low", None)
    return low is not None and low > 0


@styled()
def plot_choices(policies: Sequence[PolicyResults]) -> Figure:
    """A panel a policy: share of right choices over the steps ahead, one line a layer."""
    figure, axes = subplots(
        1, len(policies), width_inches=4.6 * len(policies), height_inches=3.5, squeeze=False, sharey=True
    )
    for panel, policy in zip(axes[0], policies, strict=True):
        steps = np.array(policy.steps)
        for index, place in enumerate((*policy.layers, PIXELS, UNTRAINED)):
            shares = [
                wilson(int(right.sum()), len(right))
                for right in (policy.right(place, k) for k in policy.steps)
            ]
            values = np.array([share.value for share in shares])
            ends = np.array([[share.value - share.low, share.high - share.value] for share in shares]).T
            is_control = place in (PIXELS, UNTRAINED)
            colour = COLOURS["grey"] if is_control else COLOURS[ORDER[index % len(ORDER)]]
            panel.errorbar(
                steps + 0.03 * index,
                values,
                ends,
                color=colour,
                label=place,
                linestyle=":" if place == PIXELS else "--" if is_control else "-",
                marker="o",
                markersize=3.5,
            )
        panel.plot(
            steps, policy.knowing_next, color=COLOURS["black"], linewidth=1, label="knows the next cell"
        )
        panel.fill_between(steps, 0, [policy.chance(k) for k in policy.steps], color="#E4E7EB", zorder=0)
        panel.set(title=policy.name, xlabel="steps ahead (cells)", xticks=steps, ylim=(0, 1.02))
        panel.legend(fontsize=7.5)
    axes[0, 0].set_ylabel("share of right choices")
    return figure
