"""clusterability: are trained networks easier to cut into groups of neurons than their weights alone make them?

Replicates chapter 3 of S0 but for its last section (`clusterability-regularizer`, `clusterable-init`). The rows and
scales stand in `clusterability_setup.py`, what is recorded in `clusterability_studies.py` and
`clusterability_claims.py`, and docs/modularity.md says how to read it. Every trained network and every ten shuffles
are kept, so that a run goes on where another stopped; with `--config.rows` one or two rows are run alone.
"""

import numpy as np
import torch

from procscope.experiments.clusterability_claims import record_claims
from procscope.experiments.clusterability_report import write_report
from procscope.experiments.clusterability_setup import ROWS, SCALES, Config, conditions
from procscope.experiments.clusterability_studies import record_condition, study_conditions
from procscope.modularity.network_study import Kind, NetworkTraining, initial_n_cut
from procscope.modularity.shuffles import shuffle_test
from procscope.modularity.weight_graph import SliceNorm, weight_graph
from procscope.workbench.checkpoints import load_network
from procscope.workbench.experiments import Experiment
from procscope.workbench.ledger import Ledger
from procscope.workbench.members import Members
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval

OWN_NETWORKS = ("maze-easy-topright", "maze-easy-corner", "maze-easy-anywhere")
INITIAL: dict[Kind, tuple[SliceNorm, ...]] = {
    "mlp": ("l1",),
    "cnn": ("l1", "column-sum"),
    "vgg": ("l1",),
    "small-mlp": ("l1",),
}
"""Networks of the row `init`, and how their kernel slices are weighed."""


def run(config: Config, record: RunRecord) -> None:
    """Measure untrained networks, train and measure those of every row, then this project's own; report."""
    ledger = Ledger(record)
    wanted = conditions(config, record.seed)
    if "init" in config.rows:
        record_initialisations(ledger, config)
    results = study_conditions(wanted, config.networks, config.workers, record)
    for result in results:
        record_condition(ledger, result)
    record_claims(ledger, results)
    own = record_own_networks(ledger, config) if "imagenet" in config.rows else {}
    write_report(ledger, config, results, own)


def record_initialisations(ledger: Ledger, config: Config) -> None:
    """N-cuts of untrained networks; the interval spans the lowest and the highest of all seeds."""
    kept = ledger.record.members()
    for network, norms in INITIAL.items():
        for norm in norms:
            cuts = []
            for number in range(config.initialisations):
                side = 7 if network == "small-mlp" else 32 if network == "vgg" else 28
                training = NetworkTraining(
                    "cifar10:" if network == "vgg" else "random",
                    network=network,
                    side=side,
                    seed=ledger.record.seed + number,
                )
                member = {"initial": training, "slice_norm": norm}
                cuts.append(
                    kept.get_or_compute(member, lambda _, t=training, n=norm: initial_n_cut(t, slice_norm=n))
                )
            ledger.add(
                "C3.init/n_cut",
                lambda c=cuts: Interval(float(np.mean(c)), min(c), max(c), len(c)),
                {"model": f"{len(cuts)} x {network}", "network": network, "slice_norm": norm},
                "1",
            )


def record_own_networks(ledger: Ledger, config: Config) -> dict[str, np.ndarray]:
    """Policies of this project in place of ImageNet's networks; n-cuts of their shuffles by name."""
    shuffled = {}
    kept = Members(ledger.record.directory.parent / "members" / "shuffles")
    for name in OWN_NETWORKS:
        model = load_network(name)
        training = " ".join(model.header.variant) or "no variant"
        ledger.record.network(model.name, model.weights_hash, training)
        graph = weight_graph(model.network, torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
        test = shuffle_test(
            graph,
            shuffles=config.own_shuffles,
            starts=config.own_starts,
            seed=ledger.record.seed,
            workers=config.workers,
            kept=kept,
        )
        where = {"model": model.name, "training": training}
        n = len(test.shuffled)
        spread = test.shuffled.std(ddof=1)
        # Z's own uncertainty is that of the shuffles' mean, in standard deviations.
        half = 1.96 / n**0.5
        ledger.add("C3.imagenet/n_cut", lambda t=test: t.n_cut, where, "1", n)
        ledger.add("C3.imagenet/shuffled_n_cut", lambda t=test: float(t.shuffled.mean()), where, "1", n)
        ledger.add("C3.imagenet/shuffled_sd", lambda s=spread: float(s), where, "1", n)
        ledger.add("C3.imagenet/p_value", lambda t=test: t.p_value, where, "p", n)
        ledger.add(
            "C3.imagenet/z_score",
            lambda t=test, h=half, n=n: Interval(t.z_score, t.z_score - h, t.z_score + h, n),
            where,
            "1",
        )
        shuffled[name] = np.concatenate([[test.n_cut], test.shuffled])
    return shuffled


EXPERIMENT = Experiment(
    name="clusterability",
    question="Can trained networks be cut into groups of neurons more easily than networks with the same weights in "
    "another order, and which data, networks and ways of training make them so?",
    targets=tuple(f"C3.{row}" for row in ROWS),
    scales=SCALES,
    run=run,
)
