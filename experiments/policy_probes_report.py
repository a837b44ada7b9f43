"""How `policy-probes` tells what it found: in short, heat maps, plans, the cheese where it is ignored, all numbers."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from procscope.experiments.policy_probes_figures import PLAN, plot_parting, plot_plans, plot_skills
from procscope.experiments.policy_probes_games import GAMES, PLAN_STEPS
from procscope.experiments.policy_probes_numbers import OWN, PARTING
from procscope.experiments.policy_probes_results import FOLLOWED, IGNORED, ProbedNetwork
from procscope.experiments.policy_probes_setup import Config
from procscope.experiments.policy_probes_study import PIXELS, POSITIONS
from procscope.workbench.ledger import Ledger

_HOW = (
    "*Skill* is on one scale for all: 0 is guessing (the mean, the commonest answer), 1 is never wrong; R² for "
    "numbers, the share of guessing's mistakes that are not made for classes and places. *Selectivity*, in brackets, "
    "is the skill less that of a control task, the same answers dealt at random to the agent's places. The *table* "
    "says what other labels predict, the best one where there are several: of a later move the current move, whether "
    "the cell is a room or a passage of the lattice, and on which side what is sought lies; of the next key's colour "
    "which keys are there."
)


class SkillRow(NamedTuple):
    """One probe, told."""

    network: str
    asked: str
    hook_point: str
    skill: str
    untrained: str
    over_the_better_baseline: str
    selectivity: str
    multinomial: str
    small_network: str
    bits_saved_a_frame: str


def write_report(ledger: Ledger, config: Config, studies: Sequence[ProbedNetwork]) -> None:
    """Add prose, figures and tables to the record."""
    record = ledger.record
    record.say("In short", "\n".join(_line(ledger, study) for study in studies))
    record.say("How to read the tables", _HOW)
    games = [game for game in GAMES if any(study.game == game for study in studies)]
    for game in games:
        of_game = [study for study in studies if study.game == game]
        record.figure(
            f"skills-{game}",
            plot_skills(of_game),
            f"{game}: skill of linear probes on levels left out, selectivity in brackets, by what is asked and hook "
            "point; right of the line an untrained network at its best place, the picture, and the table.",
        )
        record.table(
            f"skills-{game}",
            [row for study in of_game for row in _rows(ledger, study)],
            f"{game}: the same with 95% intervals over levels, and how far each skill is above the better of the "
            "untrained network's and the picture's, paired level by level.",
        )
    planning = [study for study in studies if any(one.name in PLAN for one in study.asked)]
    if planning:
        record.figure(
            "plans",
            plot_plans(planning, record.seed, config.resamples),
            f"The moves ahead on the shortest way, on frames at least {PLAN_STEPS[-1]} steps from the goal; 95% "
            "intervals over levels.",
        )
    mazes = [study for study in studies if study.game == "maze"]
    if mazes:
        record.figure(
            "ignored",
            plot_parting(mazes, record.seed, config.resamples),
            "Is the cheese known where it is ignored? Frames in which the first moves to cheese and corner differ, by "
            "whether the network's most probable move is the one to the cheese; the probes are those of all frames.",
        )
    record.say(
        "What to keep in mind",
        "- A probe says what can be read, never what is used: `probe-to-cause` asks that.\n"
        f"- Maps are read as means over {config.squares} x {config.squares} squares, things in places from "
        f"{POSITIONS} x {POSITIONS} positions: finer than that, more could be there.\n"
        "- Single frames with the agent anywhere are no sample of what the network meets when it plays.\n"
        "- One network a training: intervals are about levels, not about networks.",
    )


def _quote(ledger: Ledger, quantity: str, at: Mapping[str, str], interval: bool = True) -> str:
    return ledger.quote(f"{OWN}/{quantity}", interval=interval, **at)


def _line(ledger: Ledger, study: ProbedNetwork) -> str:
    told = []
    for one in study.asked:
        place = study.best_place(one.name)
        at = {"model": study.model, "target": one.name}
        here = at | {"hook_point": place}
        skill = _quote(ledger, "skill", here | {"weights": "trained"})
        picture = _quote(ledger, "skill", at | {"hook_point": PIXELS}, interval=False)
        untrained = _quote(ledger, "skill", here | {"weights": "untrained"}, interval=False)
        told.append(f"{one.name} {skill} at `{place}` (untrained {untrained}, picture {picture})")
    parting = ""
    if study.game == "maze":
        shares = [
            ledger.quote(
                f"{OWN}/skill_where",
                model=study.model,
                target=PARTING[0],
                hook_point=study.best_place(PARTING[0]),
                frames=which,
            )
            for which in (FOLLOWED, IGNORED)
        ]
        parting = f" Where the cheese is followed its place is read with {shares[0]}, where ignored with {shares[1]}."
    return f"- `{study.model}`: {'; '.join(told)}.{parting}"


def _rows(ledger: Ledger, study: ProbedNetwork) -> list[SkillRow]:
    rows = []
    for one in study.asked:
        for place in study.hook_points:
            if study.skill(one.name, place) is None:
                continue
            at = {"model": study.model, "target": one.name, "hook_point": place}
            logistic, mlp = (
                _quote(ledger, "skill", at | {"weights": f"trained, {probe}"})
                if study.closer(one.name, place, probe) is not None
                else "–"
                for probe in ("logistic", "mlp")
            )
            bits = study.saved_bits(one.name, place)
            rows.append(
                SkillRow(
                    study.model,
                    one.name,
                    place,
                    _quote(ledger, "skill", at | {"weights": "trained"}),
                    _quote(ledger, "skill", at | {"weights": "untrained"}),
                    _quote(ledger, "over_baseline", at),
                    _quote(ledger, "selectivity", at),
                    logistic,
                    mlp,
                    "–" if bits is None or one.kind != "class" else f"{bits:.3f}",
                )
            )
    return rows
