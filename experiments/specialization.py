"""specialization: do groups of neurons that a clustering finds do jobs of their own?

Replicates chapter 4 of S0: clusters by weights and by activations, of the whole network and layer by layer; each
cluster's part in each layer is taken out (importance, and coherence over classes) and pictured (coherence over inputs),
beside random groups of the same size; p-values over networks, corrected for all tests. Then with other numbers of
clusters, and in networks with more or less redundancy. docs/experiments/specialization.md says what was found.
"""

from procscope.experiments.specialization_numbers import record_numbers
from procscope.experiments.specialization_report import write_report
from procscope.experiments.specialization_setup import SCALES, Config, conditions
from procscope.experiments.specialization_studies import study_conditions
from procscope.workbench.experiments import Experiment
from procscope.workbench.ledger import Ledger
from procscope.workbench.runs import RunRecord


def run(config: Config, record: RunRecord) -> None:
    """Train, cut into groups, lesion and picture them, test, report."""
    wanted = conditions(config, record.seed)
    results, accuracies = study_conditions(wanted, config, record)
    ledger = Ledger(record)
    tests = record_numbers(ledger, results, accuracies)
    write_report(ledger, config, tests)


EXPERIMENT = Experiment(
    name="specialization",
    question="Are groups of neurons that clustering finds more important, and more coherent, than random groups of "
    "the same size in the same layer?",
    targets=("C4.lesion", "C4.featvis", "C4.k-robust", "C4.redundancy"),
    scales=SCALES,
    run=run,
)
