"""agent-modularity: do clusters of a policy's channels do jobs of their own?

S0's questions of chapters 3 and 4, asked of agents: are their channels more clusterable than shuffles, and than those
of untrained networks; do a cluster's channels matter more than random ones, and to which moves; which levels fail when
a cluster is taken out; does PPO leave another structure than imitation. docs/experiments/agent-modularity.md says what
was found, and how networks of your own are measured.
"""

from typing import Any

from procscope.experiments.agent_modularity_numbers import (
    CLUSTERS,
    GROUPS,
    NetworkNumbers,
    record_clusterability,
    record_lesions,
    record_methods,
    record_play,
)
from procscope.experiments.agent_modularity_report import NetworkReport, write_report
from procscope.experiments.agent_modularity_setup import (
    SCALES,
    Config,
    is_policy,
    played_frames,
    training_method,
)
from procscope.experiments.agent_modularity_studies import (
    clusters_of,
    correlation_graph,
    example_of,
    lesion_clusters,
    lesion_groups_of_layers,
    measure,
    measure_untrained,
    play_without_clusters,
)
from procscope.experiments.specialization_studies import PARTITIONS
from procscope.modularity.weight_graph import weight_graph
from procscope.workbench.checkpoints import LoadedModel, load_network
from procscope.workbench.experiments import Experiment
from procscope.workbench.ledger import Ledger
from procscope.workbench.members import Members
from procscope.workbench.runs import RunRecord


def run(config: Config, record: RunRecord) -> None:
    """Measure every network, compare methods of training, report."""
    ledger = Ledger(record)
    reports = [study(ledger, config, load_network(name)) for name in config.models]
    record_methods(ledger, [NetworkNumbers(one.method, one.weights) for one in reports])
    write_report(ledger, config, reports)


def study(ledger: Ledger, config: Config, model: LoadedModel) -> NetworkReport:
    """Everything about one network."""
    record, seed = ledger.record, ledger.record.seed
    directory = record.directory.parent / "members"
    kept = Members(directory / "shuffles")
    training = " ".join(model.header.variant) or "no variant"
    method = training_method(model)
    record.network(model.name, model.weights_hash, training)
    where: dict[str, Any] = {"model": model.name, "training": training, "method": method}

    graph = weight_graph(model.network, example_of(model.network))
    weights = measure(graph, config, seed, kept)
    untrained = measure_untrained(model, config, kept)
    record_clusterability(ledger, weights, where | {"input": "weights"}, untrained)
    played = played_frames(model, config.frames, seed) if is_policy(model) else None
    report = NetworkReport(model, method, weights, untrained)
    if played is None and not config.caches:
        return report
    correlations = correlation_graph(model, config, played)
    report.activations = measure(correlations, config, seed, kept)
    record_clusterability(ledger, report.activations, where | {"input": "activations"})
    if played is None or config.lesion_frames == 0:
        return report

    kept_lesions = Members(directory / "lesions")
    graphs = {"weights": graph, "activations": correlations}
    for source, scope in PARTITIONS:
        at = where | {"input": source, "scope": scope}
        found = lesion_groups_of_layers(model, graphs[source], scope, played, config, seed, kept_lesions)
        if found is None:
            record.undefined_metric(f"{GROUPS}/accuracy_fisher", at, "every cluster is made of whole layers")
            continue
        record_lesions(ledger, GROUPS, found, at)
        report.groups[source, scope] = found
    report.clustering, lesions = clusters_of(graphs[config.lesioned_by], config, seed)
    if not lesions:
        return report
    report.clusters = lesion_clusters(model, report.clustering, lesions, played, config, seed, kept_lesions)
    record_lesions(ledger, CLUSTERS, report.clusters, where | {"input": config.lesioned_by})
    if config.levels:
        report.play = play_without_clusters(
            model, report.clustering, lesions, config, seed, Members(directory / "play")
        )
        record_play(ledger, report.play, where | {"input": config.lesioned_by}, seed)
    return report


EXPERIMENT = Experiment(
    name="agent-modularity",
    question="Are policies' channels clusterable beyond shuffles and untrained networks, and do the clusters do "
    "different jobs: which moves and which levels go when one is taken out?",
    targets=("agents.clusterability", "agents.specialization", "agents.clusters"),
    scales=SCALES,
    run=run,
)
