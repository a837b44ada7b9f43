"""reward-probes: do reward networks represent how far the goal is?

Replicates section 5.7 of S0, and its repetition on the adversarially trained network in section 5.8: Tables 5.3 to 5.9,
linear probes of distance, squared distance and their inverses, with the text's caps and filter, in layers 1 to 4.
docs/experiments/reward-probes.md says what was found.
"""

import hashlib
import json
from dataclasses import dataclass

from procscope.experiments.reward_probes_report import NetworkProbes, write_report
from procscope.experiments.reward_probes_study import Member, measure, probe_transitions, read_scores
from procscope.experiments.reward_scenes import kind_of
from procscope.workbench.checkpoints import load_network
from procscope.workbench.experiments import Experiment
from procscope.workbench.runs import RunRecord


@dataclass(frozen=True)
class Config:
    """Settings of `reward-probes`; the defaults are those of the small scale."""

    models: tuple[str, ...] = ("coinrun-reward",)
    """Reward networks, by name or path."""
    transitions: int = 16_384
    """Of each game, on test levels; the text has 895,489 of CoinRun and 2,622,272 of Heist."""
    folds: int = 10
    """Of levels; the text holds one tenth out."""


def run(config: Config, record: RunRecord) -> None:
    """Probe every network and its untrained twin on the same transitions, record, report."""
    kept, studies = record.members(), []
    for name in config.models:
        model = load_network(name)
        header = model.header
        record.network(model.name, model.weights_hash, kind_of(model))
        shared = record.directory.parent / "members"
        cache = probe_transitions(header.game, header.mode, config.transitions, shared, record.seed).cache
        source = hashlib.sha256(json.dumps([cache.source, len(cache)], sort_keys=True).encode()).hexdigest()
        member = Member(model.weights_hash, source, record.seed, config.folds)
        found = kept.get_or_compute(
            member, lambda member, model=model, cache=cache: measure(model, cache, member)
        )
        studies.append(NetworkProbes(model.name, kind_of(model), header.game, read_scores(found)))
        record.log(f"{model.name}: done")
    write_report(record, studies)


EXPERIMENT = Experiment(
    name="reward-probes",
    question="Can the distance from the agent to its goal be read linearly out of a reward network's layers, better "
    "than out of an untrained one?",
    targets=("C5.probe-coinrun", "C5.probe-heist", "C5.probe-filtered"),
    scales={
        "smoke": Config(transitions=512, folds=3),
        "small": Config(),
        "long": Config(transitions=131_072),
        "paper": Config(transitions=895_489),
    },
    run=run,
)
