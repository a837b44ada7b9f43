"""What the maze experiments share about the networks that they compare: which they are, and numbers over all of a kind.

An experiment records its numbers network by network. `record_over_networks` puts beside them, for every kind of which
there are several networks, the mean over networks with Student's interval: there networks are the units, not mazes.
"""

from collections.abc import Collection
from typing import Any

import numpy as np

from procscope.workbench.checkpoints import LoadedModel, load_network
from procscope.workbench.ledger import Ledger
from procscope.workbench.metrics import Metric
from procscope.workbench.run_intervals import mean_of_runs
from procscope.workbench.runs import RunRecord

OF_ONE_NETWORK = ("model", "channel", "channels", "control")
"""Keys of `where` that say which network, or which of its channels: numbers of several networks differ in these."""


def open_networks(models: Collection[str], record: RunRecord) -> list[LoadedModel]:
    """The networks, put down in the record with what they were trained on.

    Raises ValueError: none, or two names of the same weights, which would count one network twice.
    """
    opened = [load_network(model) for model in models]
    hashes = [model.weights_hash for model in opened]
    if not opened or len(set(hashes)) < len(hashes):
        raise ValueError(
            f"expected networks with weights of their own, at least one; given {', '.join(models) or 'none'}, of which "
            f"{len(set(hashes))} differ. Leave out the copies"
        )
    for model in opened:
        record.network(model.name, model.weights_hash, training_of(model))
    return opened


def training_of(model: LoadedModel) -> str:
    """The variants that a network was trained on, as claims name them."""
    return " ".join(model.header.variant) or "no variant"


def control_kind(control: str) -> str:
    """A control's kind whatever the number of channels: "channels of like norm" and "channel of like norm" are one."""
    return control.replace("channels", "channel")


def record_over_networks(ledger: Ledger, ids: Collection[str]) -> None:
    """For each of these numbers that several networks of one training have, `<id>_over_networks`."""
    groups: dict[tuple[Any, ...], list[Metric]] = {}
    for metric in ledger.record.metrics:
        if metric.id in ids:
            place = {key: value for key, value in metric.where.items() if key not in OF_ONE_NETWORK}
            groups.setdefault((metric.id, metric.unit, *sorted(place.items())), []).append(metric)
    for (id, unit, *place), metrics in groups.items():
        by_network = {metric.where["model"]: float(metric.value) for metric in metrics}
        if len(by_network) > 1 and len(by_network) == len(metrics):
            values = np.array(list(by_network.values()))
            ledger.add(f"{id}_over_networks", lambda v=values: mean_of_runs(v), dict(place), unit)
