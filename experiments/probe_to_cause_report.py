"""How `probe-to-cause` tells what it found: in short, probes against handles, effects by strength, every dot."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from procscope.experiments.probe_to_cause_figures import plot_handles, plot_strengths
from procscope.experiments.probe_to_cause_handles import PROBE, RANDOM, SHUFFLED, UNTRAINED, WEIGHTS
from procscope.experiments.probe_to_cause_numbers import GROUPS, OWN
from procscope.experiments.probe_to_cause_results import Dot
from procscope.experiments.probe_to_cause_setup import Config
from procscope.experiments.probe_to_cause_study import FLIPPED
from procscope.workbench.ledger import Ledger

_HOW = (
    "A *step* is one natural standard deviation of the activations along the direction (the probe's pattern: how "
    "activations differ when the target does). An *effect* of 1 is what would follow if the probe's claim were true: "
    "for a move, that it becomes as probable as where it is best; for a thing said to lie elsewhere, that the first "
    "move there becomes as probable as the way to the thing is; for a distance, that the value falls as much as so "
    "many standard deviations of the distance make it fall. *Controls* have the same length: a random direction, the "
    "same probe's of an untrained network, a probe's for answers dealt to other frames; the step *flipped* stands "
    "beside them. Tests are Student's, corrected by Holm's method over all dots."
)


class DotRow(NamedTuple):
    """One dot, told."""

    network: str
    target: str
    hook_point: str
    skill: str
    effect: str
    beyond_controls: str
    p_holm: str
    along_weights: str
    flipped: str
    random: str
    untrained: str
    shuffled: str
    erased: str
    erased_beyond_controls: str


def write_report(ledger: Ledger, config: Config, dots: Sequence[Dot]) -> None:
    """Add prose, figures and tables to the record."""
    record = ledger.record
    record.say("In short", "\n".join([*_headline(ledger), *_best_handles(ledger, config, dots)]))
    record.say("How to read it", _HOW)
    record.figure(
        "handles",
        plot_handles(dots, config.told, record.seed),
        "Each dot is a network, a hook point and a thing that is read: the probe's skill on levels left out, and what "
        "steering along it (left) or erasing it (right) does beyond controls, with 95% intervals.",
    )
    record.figure(
        "strengths",
        plot_strengths(dots, config.strengths),
        "Effects by strength in natural standard deviations: a line a hook point, dotted the mean of the controls.",
    )
    record.table(
        "dots",
        [_row(ledger, config, dot) for dot in dots],
        f"Every dot, steered by {config.told:g} natural standard deviations, and erased; 95% intervals over frames.",
    )
    record.say(
        "What to keep in mind",
        "- Dots of one network are not independent; the intervals within what is read and within hook points draw "
        "whole groups.\n"
        "- A direction that does nothing where its probe reads well is no handle; another direction of the same layer "
        "may be.\n"
        "- Effects are of single frames, on levels that the probes were not fitted to; nothing is played.\n"
        "- One network a training.",
    )


def _headline(ledger: Ledger) -> list[str]:
    lines = []
    for of, told in (("effect", "what steering does"), ("erasure", "what erasing takes away")):
        parts = [f"{name} {_quoted(lambda n=name, o=of: _correlation(ledger, o, n))}" for name in GROUPS]
        lines.append(
            f"- Rank correlation of a probe's skill with {told} beyond controls: {'; '.join(parts)}."
        )
    weights = _quoted(lambda: ledger.quote(f"{OWN}/pattern_over_weights"))
    return [*lines, f"- Steps along patterns do {weights} more than steps along weights, mean over dots."]


def _correlation(ledger: Ledger, of: str, dots: str) -> str:
    found = [
        entry
        for entry in (*ledger.record.metrics, *ledger.record.undefined)
        if entry.id == f"{OWN}/rank_correlation" and entry.where == {"of": of, "dots": dots}
    ]
    if len(found) != 1 or not hasattr(found[0], "value"):
        raise KeyError(of)
    one = found[0]
    return f"{one.value:.2f} [{one.ci_low:.2f}, {one.ci_high:.2f}] ({one.n} dots)"  # type: ignore[union-attr]


def _best_handles(ledger: Ledger, config: Config, dots: Sequence[Dot]) -> list[str]:
    lines = []
    for model, name in dict.fromkeys((dot.place.model, dot.cause.name) for dot in dots):
        chosen = [dot for dot in dots if (dot.place.model, dot.cause.name) == (model, name)]
        told = [
            f"`{dot.place.hook_point}` "
            + _quoted(
                lambda d=dot: ledger.quote(
                    f"{OWN}/over_controls", interval=True, **d.where, strength=config.told
                )
            )
            + f" (skill {dot.skill.value():.2f})"
            for dot in chosen
        ]
        lines.append(f"- `{model}`, {name}: {'; '.join(told)}.")
    return lines


def _row(ledger: Ledger, config: Config, dot: Dot) -> DotRow:
    at = dot.where | {"strength": config.told}

    def quote(quantity: str, where: Mapping[str, str | float]) -> str:
        return _quoted(lambda: ledger.quote(f"{OWN}/{quantity}", interval=True, **where))

    def effect(arm: str, interval: bool = False) -> str:
        return _quoted(lambda: ledger.quote(f"{OWN}/effect", interval=interval, arm=arm, **at))

    return DotRow(
        dot.place.model,
        dot.cause.name,
        dot.place.hook_point,
        quote("skill", dot.where),
        effect(PROBE, True),
        quote("over_controls", at),
        quote("p_holm", at),
        effect(WEIGHTS),
        effect(FLIPPED),
        effect(RANDOM),
        effect(UNTRAINED),
        effect(SHUFFLED),
        quote("erased", dot.where),
        quote("erased_over_controls", dot.where),
    )


def _quoted(quote: Callable[[], str]) -> str:
    """The number, or a dash where it was not measured."""
    try:
        return quote()
    except KeyError:
        return "–"
