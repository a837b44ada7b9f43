"""How `agent-modularity` tells what it found: a table and figures for each network, prose that quotes the numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from procscope.experiments.agent_modularity_figures import plot_among, plot_moves, plot_success
from procscope.experiments.agent_modularity_numbers import CLUSTERABILITY, CLUSTERS, GROUPS
from procscope.experiments.agent_modularity_setup import Config
from procscope.experiments.agent_modularity_studies import Clusterability, ClusterPlay
from procscope.modularity.pictures import draw_network
from procscope.modularity.policy_lesions import PolicyLesions
from procscope.modularity.spectral_clustering import Clustering
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.ledger import Ledger


@dataclass
class NetworkReport:
    """What was measured of one network; what was not is None."""

    model: LoadedModel
    method: str
    """Of training."""
    weights: Clusterability
    untrained: Sequence[Clusterability]
    activations: Clusterability | None = None
    groups: dict[tuple[str, str], PolicyLesions] = field(default_factory=dict)
    """Single layers' groups, by the graph that they were found in and the clustering's scope."""
    clustering: Clustering | None = None
    clusters: PolicyLesions | None = None
    play: ClusterPlay | None = None


class NetworkRow(NamedTuple):
    """How clusterable a network is."""

    network: str
    method: str
    graph: str
    n_cut: str
    shuffles: str
    untrained: str
    z: str
    p: str


class ClusterRow(NamedTuple):
    """One cluster of a network and what its lesion does."""

    cluster: int
    channels: int
    layers: int
    moves_right: str
    at_random: str
    worst_move: str
    success: str
    success_at_random: str
    stuck: str


def write_report(ledger: Ledger, config: Config, reports: Sequence[NetworkReport]) -> None:
    """Add prose, tables and figures to the record."""
    record = ledger.record
    record.say("In short", _in_short(ledger, config, reports))
    record.table(
        "clusterability",
        [row for report in reports for row in _network_rows(ledger, report)],
        f"N-cuts of hidden convolutions' channels with {config.k} clusters, beside {config.shuffles} shuffles and "
        f"{config.untrained} untrained networks of the same shape; means and standard deviations.",
    )
    for report in reports:
        _tell_network(ledger, report)
    record.say(
        "How to read it",
        "A lesion holds at 0 what a layer writes in those channels; in a residual stream others' contributions stay. "
        "Random sets have as many channels in the same layers. Moves are right if the most probable one is the first "
        "of a shortest way, on frames that the policy came to by itself. Levels are of the training distribution, "
        "never drawn in training; all arms play them with the same action noise.",
    )


def _tell_network(ledger: Ledger, report: NetworkReport) -> None:
    record, name = ledger.record, report.model.name.rpartition("/")[2]
    shown = {"shuffles": report.weights.shuffled}
    if report.untrained:
        shown["untrained networks"] = np.array([one.n_cut for one in report.untrained])
    record.figure(
        f"n-cut-{name}",
        plot_among(report.weights.n_cut, shown),
        f"`{name}` among shuffles and untrained networks.",
    )
    if report.clustering is not None:
        record.figure(
            f"network-{name}",
            draw_network(report.clustering),
            f"`{name}`: channels by layer, coloured by cluster, and the strongest edges between them.",
        )
    if report.clusters is None:
        return
    record.table(
        f"clusters-{name}",
        _cluster_rows(report.clusters, report.play),
        f"`{name}`: what the lesion of each cluster costs, beside the mean of random sets of the same size.",
    )
    record.figure(
        f"moves-{name}",
        plot_moves(report.clusters),
        f"`{name}`: best moves lost to each cluster's lesion beyond the mean of random sets, by which move was best.",
    )
    if report.play is not None:
        record.figure(
            f"success-{name}",
            plot_success(report.play),
            f"`{name}`: success on the same levels without each cluster (dots) and without random sets (small dots).",
        )


def _network_rows(ledger: Ledger, report: NetworkReport) -> list[NetworkRow]:
    rows = []
    for graph, found in (("weights", report.weights), ("activations", report.activations)):
        if found is None:
            continue
        where: dict[str, Any] = {"model": report.model.name, "input": graph}
        cuts = np.array([one.n_cut for one in report.untrained])
        rows.append(
            NetworkRow(
                report.model.name,
                report.method,
                graph,
                f"{found.n_cut:.3f}",
                f"{found.shuffled.mean():.3f} ± {found.shuffled.std(ddof=1):.3f}",
                f"{cuts.mean():.3f} ± {cuts.std(ddof=1):.3f}" if graph == "weights" and len(cuts) > 1 else "",
                ledger.quote(f"{CLUSTERABILITY}/z_score", **where),
                ledger.quote(f"{CLUSTERABILITY}/p_value", **where),
            )
        )
    return rows


def _cluster_rows(clusters: PolicyLesions, play: ClusterPlay | None) -> list[ClusterRow]:
    result, rows = clusters.result, []
    for number, lesion in enumerate(clusters.lesions):
        drops = result.class_drops[number]
        worst = int(drops.argmax())
        arm = play.arms[number] if play else ""
        rows.append(
            ClusterRow(
                lesion[0].cluster,
                sum(len(group.units) for group in lesion),
                len(lesion),
                f"{100 * (result.accuracy - result.accuracy_drop[number]):.0f}%",
                f"{100 * (result.accuracy - result.random_accuracy_drop[number].mean()):.0f}%",
                f"{clusters.moves[worst].name} (-{100 * drops[worst]:.0f})",
                f"{100 * play.sweep.of(arm).mean():.0f}%" if play else "",
                f"{100 * np.mean([play.sweep.of(one).mean() for one in play.random_arms[number]]):.0f}%"
                if play
                else "",
                f"{100 * play.sweep.of(arm, 'stuck').mean():.0f}%" if play else "",
            )
        )
    return rows


def _in_short(ledger: Ledger, config: Config, reports: Sequence[NetworkReport]) -> str:
    lines = []
    for report in reports:
        name = report.model.name
        at: dict[str, Any] = {"model": name, "input": "weights"}
        text = f"- `{name}` ({report.method}): Z = {ledger.quote(f'{CLUSTERABILITY}/z_score', **at)} among shuffles"
        if report.untrained:
            text += (
                f", n-cut {ledger.quote(f'{CLUSTERABILITY}/below_untrained', **at)} from untrained networks"
            )
        text += "."
        for source, scope in report.groups:
            where: dict[str, Any] = {"model": name, "input": source, "scope": scope}
            text += (
                f" Groups by {source}, {scope}: Fisher statistic of importance "
                f"{ledger.quote(f'{GROUPS}/accuracy_fisher', **where)}, over moves "
                f"{ledger.quote(f'{GROUPS}/class_fisher', **where)}."
            )
        if report.play is not None:
            text += (
                f" Without a cluster {ledger.quote(f'{CLUSTERS}/success_lost', model=name)} of levels are lost, "
                f"{ledger.quote(f'{CLUSTERS}/success_lost_over_random', model=name)} more than without random sets."
            )
        lines.append(text)
    return (
        f"Channels of each network's convolutions are clustered: {config.k} clusters for n-cuts and single layers' "
        f"groups, {config.lesioned_k}, by {config.lesioned_by}, that are taken out as wholes.\n\n"
        + "\n".join(lines)
    )
