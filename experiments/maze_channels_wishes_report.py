"""How `maze-channels-wishes` tells what it found. Every number in the prose is quoted from the run's own (`Ledger`)."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from procscope.experiments.maze_channels_figures import short_name
from procscope.experiments.maze_channels_wishes_numbers import WISHES, ZERO16
from procscope.experiments.maze_channels_wishes_results import DIRECTIONS, WishStudy
from procscope.experiments.maze_channels_wishes_setup import Config
from procscope.interventions.many_channels import ABLATIONS
from procscope.interventions.named_arms import UNTOUCHED
from procscope.visualization.arm_success import ArmPanel, ArmResult, plot_arm_success
from procscope.visualization.corridor_importance import ImportancePanel, plot_corridor_importance
from procscope.visualization.search_depth import SearchPanel, plot_search_depth
from procscope.visualization.sums_by_direction import SumsPanel, plot_sums_by_direction
from procscope.workbench.ledger import Ledger
from procscope.workbench.statistics import wilson
from procscope.workbench.verdict_text import verdicts_text

_COLOURS = {"zero": "vermilion", "mean": "orange", "min": "purple"}


def write_report(ledger: Ledger, config: Config, studies: Sequence[WishStudy]) -> None:
    """Add prose, figures and tables to the record."""
    for section in (_tell_many, _tell_corner, _tell_corridors, _tell_lattice, _tell_search):
        section(ledger, config, studies)
    ledger.record.say(
        "What differs from the study",
        "- The networks: IMPALA with 16, 32 and 32 channels (the study's has 64, 128 and 128), so that an eighth of "
        "the layer is 4 channels in place of 16.\n"
        f"- S3.zero16: vector fields of {config.field_mazes} mazes of {config.size} x {config.size} cells in place of "
        f"one, and {config.played_mazes} of {config.played_size} x {config.played_size} played; channels are the ones "
        f"of the largest effect over {config.base_mazes} base mazes in place of one.\n"
        "- The other parts are questions of its author, who measured none of them. Networks were trained on mazes with "
        "the lattice; a network trained without it is another question.",
    )


def _lines(studies: Sequence[WishStudy], line: Callable[[WishStudy], str]) -> str:
    return "\n".join(f"- `{short_name(study.model)}`: {line(study)}" for study in studies)


def _tell_many(ledger: Ledger, config: Config, studies: Sequence[WishStudy]) -> None:
    def line(study: WishStudy) -> str:
        def quote(quantity: str, arm: str, **where) -> str:
            return ledger.quote(f"{ZERO16}/{quantity}", model=study.model, arm=arm, **where)

        parts = [
            f"{arm}: arrows turn by {quote('field_change', arm)}; the most probable moves still lead to the cheese in "
            f"{quote('still_arrives', arm)} of the mazes in which they did; found in play "
            f"{quote('found_difference', arm)} more often (McNemar p {quote('mcnemar_p', arm)})"
            for arm in ABLATIONS
        ]
        channels = ", ".join(map(str, study.many.channels))
        return f"channels {channels}. " + "; ".join(parts) + "."

    ledger.record.say(
        "Without an eighth of the layer, does the mouse still head for the cheese?",
        "Asked: the study set the 16 channels of the largest pair effect, of 128, to zero, and looked at one maze's "
        "vector field: much changes, and the mouse still goes to the cheese. Its author calls the test weak, for some "
        "channels are never near zero. Here the same share of channels is set to zero, to its mean, or to its minimum "
        "over random squares, on many mazes, with as many other channels as controls.\n\n"
        "Found:\n" + _lines(studies, line) + "\n\n" + verdicts_text(ledger.record, ZERO16),
    )
    ledger.record.figure(
        "many-channels",
        many_figure(studies),
        f"Share of {config.played_mazes} mazes, the cheese anywhere, in which it is found, with 95% intervals: "
        "untouched, without the channels of the largest pair effect, and without as many of like norm, or random ones.",
    )


def many_figure(studies: Sequence[WishStudy]) -> Figure:
    """Success by arm: a column a network."""

    def panel(study: WishStudy) -> ArmPanel:
        many = study.many
        found = many.found[UNTOUCHED]
        results = [ArmResult("untouched", wilson(int(found.sum()), len(found)), "black")]
        for ablation, colour in _COLOURS.items():
            for arm in (ablation, *many.controls(ablation)):
                line = arm if arm == ablation else arm.replace(": ", ", ")
                found = many.found[arm]
                shade = colour if arm == ablation else "grey"
                results.append(ArmResult(line, wilson(int(found.sum()), len(found)), shade))
        return ArmPanel(short_name(study.model), results)

    return plot_arm_success([[panel(study) for study in studies]])


def _tell_corner(ledger: Ledger, config: Config, studies: Sequence[WishStudy]) -> None:
    def line(study: WishStudy) -> str:
        def goes(target: str, distribution: str) -> str:
            return ledger.quote(f"{WISHES}/goes_to_{target}", model=study.model, distribution=distribution)

        points = "; ".join(
            f"its go-{each.name} channel points to the corner in "
            f"{ledger.quote(f'{WISHES}/points_to_corner', model=study.model, direction=each.name.lower())} of high "
            "squares"
            for each in DIRECTIONS
        )
        return (
            f"to the cheese in {goes('cheese', 'in')} with the cheese top right, {goes('cheese', 'out')} elsewhere; to "
            f"the corner in {goes('corner', 'out')} with the cheese elsewhere; {points}."
        )

    ledger.record.say(
        "Does it seek the corner?",
        "Asked: is seeking the corner learned first, and never purged? That needs a training's checkpoints: run this "
        "experiment with --over-training, and `goes_to_corner`, `goes_to_cheese` and `points_to_corner` are drawn "
        "against the frames learned from. At decision squares, the most probable move goes:\n"
        + _lines(studies, line),
    )


def _tell_corridors(ledger: Ledger, config: Config, studies: Sequence[WishStudy]) -> None:
    def line(study: WishStudy) -> str:
        def overlap(cells: str) -> str:
            return ledger.quote(f"{WISHES}/corridor_overlap", model=study.model, cells=cells)

        reliabilities = " and ".join(
            ledger.quote(f"{WISHES}/corridor_reliability", interval=False, model=study.model, cells=kind)
            for kind in ("vertical", "horizontal")
        )
        return (
            f"overlap of the two kinds {overlap('vertical, horizontal')}; each kind with itself {reliabilities}; with "
            f"rooms of the same moves {overlap('vertical, room with up or down')} and "
            f"{overlap('horizontal, room with left or right')}. Without the channels that matter most on one kind the "
            f"right move falls further there than on the other kind by "
            f"{ledger.quote(f'{WISHES}/corridor_dissociation', model=study.model)}."
        )

    ledger.record.say(
        "Do the two kinds of corridor cells have circuits of their own?",
        "Asked: in corridor cells with even x and odd y one goes up or down, in those with odd x and even y left or "
        "right. Are the channels that matter there (whose mean in their place moves the choice) others for the two "
        "kinds? Overlap is the rank correlation over channels of how much they matter. If a low overlap comes of the "
        "moves alone, rooms in which the same moves are right overlap with their corridors.\n\n"
        "Found:\n" + _lines(studies, line) + "\n\n" + verdicts_text(ledger.record, WISHES),
    )
    ledger.record.figure(
        "corridors",
        corridor_figure(studies),
        f"Every channel: divergence of the action probabilities with the channel at its mean, averaged over "
        f"{config.corridor_mazes} cells of either kind. Points on the dashed line matter on both kinds alike.",
    )


def corridor_figure(studies: Sequence[WishStudy]) -> Figure:
    """How much channels matter on the two kinds: a panel a network."""
    return plot_corridor_importance(
        [
            ImportancePanel(
                short_name(study.model),
                study.corridors.importance["vertical"].mean(axis=0),
                study.corridors.importance["horizontal"].mean(axis=0),
            )
            for study in studies
        ]
    )


def _tell_lattice(ledger: Ledger, config: Config, studies: Sequence[WishStudy]) -> None:
    def line(study: WishStudy) -> str:
        parts = []
        for direction in DIRECTIONS:
            name = direction.name.lower()

            def quote(quantity: str, name: str = name) -> str:
                return ledger.quote(f"{WISHES}/{quantity}", model=study.model, direction=name)

            parts.append(
                f"go-{direction.name}: AUROC {quote('auroc_with_lattice')} with the lattice, "
                f"{quote('auroc_without_lattice')} without (best channel there {quote('best_auroc_without_lattice')}); "
                f"the mouse is right in {quote('agreement_with_lattice')} and {quote('agreement_without_lattice')}"
            )
        return "; ".join(parts) + "."

    ledger.record.say(
        "Do channels say a direction in mazes without the lattice?",
        'Asked: might there be no channel that says "go up" in a more random maze? Here the network stays the same, '
        f"and the mazes change: {config.squares} squares in mazes with the lattice and as many in mazes without, both "
        f"of {config.size} x {config.size} cells, the cheese top right.\n\n"
        "Found:\n" + _lines(studies, line),
    )
    ledger.record.figure(
        "lattice",
        lattice_figure(studies),
        "Sums of each network's go-UP channel where UP is the next step to the cheese (up) and where it is not (down), "
        "in mazes with the lattice and without.",
    )


def lattice_figure(studies: Sequence[WishStudy]) -> Figure:
    """The go-UP channel's sums: a row with the lattice and one without, a column a network."""

    def panel(study: WishStudy, lattice: bool) -> SumsPanel:
        found = study.lattice[DIRECTIONS[0]]
        readout = found.readout(lattice=lattice)
        try:
            area = readout.auroc
            note = f"AUROC {area.value:.3f} ({area.low:.3f}–{area.high:.3f})"
        except ValueError:
            note = "AUROC undefined"
        largest = max(float(found.readout(lattice=each).sums.max()) for each in (True, False))
        title = f"{short_name(study.model)}, channel {found.channel}\n{'with' if lattice else 'without'} the lattice"
        return SumsPanel(title, readout.sums, readout.is_right, DIRECTIONS[0].name, None, largest, note)

    return plot_sums_by_direction([[panel(study, lattice) for study in studies] for lattice in (True, False)])


def _tell_search(ledger: Ledger, config: Config, studies: Sequence[WishStudy]) -> None:
    def line(study: WishStudy) -> str:
        def quote(quantity: str, **where) -> str:
            return ledger.quote(f"{WISHES}/{quantity}", model=study.model, **where)

        ranks = " and ".join(
            f"go-{each.name} at place {quote('search_rank', direction=each.name.lower())}"
            for each in DIRECTIONS
        )
        return (
            f"at `{study.hook_point}` the two orders agree by {quote('search_agreement')}; by the search, {ranks} of "
            f"{study.finder.n_channels}. Mean AUROC of the ten best by effect "
            f"{quote('top_auroc', chosen_by='effect')}, by the search {quote('top_auroc', chosen_by='search')}."
        )

    ledger.record.say(
        "What does a systematic search find?",
        "Asked, in the study's first footnote, and not done there: the difference within a pair against the standard "
        "deviation over random mazes, for every channel of every hook point. Measured on other squares by the AUROC of "
        "the channel's reading.\n\nFound:\n" + _lines(studies, line),
    )
    ledger.record.figure(
        "search",
        search_figure(studies),
        "Pair effect of every channel in standard deviations over random mazes, by hook point in the order of the "
        "forward pass; red: channels that differ more within pairs than between two random mazes.",
    )
    ledger.record.table(
        "search",
        pd.DataFrame([row for study in studies for row in search_rows(study)]),
        "The five channels of each hook point with the largest pair effect in standard deviations.",
    )


def search_figure(studies: Sequence[WishStudy]) -> Figure:
    """The search at every hook point: a column a network."""
    return plot_search_depth(
        [
            SearchPanel(
                short_name(study.model),
                list(study.search),
                [found.standardised for found in study.search.values()],
                [found.effects > found.between_mazes for found in study.search.values()],
            )
            for study in studies
        ]
    )


def search_rows(study: WishStudy, count: int = 5) -> list[dict]:
    """The best channels of each hook point."""
    rows = []
    for place, found in study.search.items():
        for channel in np.argsort(-found.standardised, kind="stable")[:count].tolist():
            rows.append(
                {
                    "network": study.model,
                    "hook_point": place,
                    "channel": channel,
                    "standardised": float(found.standardised[channel]),
                    "effect": float(found.effects[channel]),
                    "spread": float(found.spread[channel]),
                    "between_mazes": float(found.between_mazes[channel]),
                }
            )
    return rows
