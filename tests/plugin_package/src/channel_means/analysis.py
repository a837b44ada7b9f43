"""Which channels differ most between the frames that a label tells apart."""

from dataclasses import dataclass
from typing import NamedTuple

from procscope.activations.cache import ActivationCache
from procscope.workbench.analyses import Analysis


@dataclass(frozen=True)
class Config:
    hook_point: str = "conv_out"
    """Whose channels to compare."""
    label: str = "at_decision_square"
    """Column of truth values that splits the frames."""


class ChannelDifference(NamedTuple):
    channel: int
    difference: float


def run(cache, config, record):
    """Mean of every channel where a label is true, minus its mean where it is false."""
    sums, counts = {True: 0.0, False: 0.0}, {True: 0, False: 0}
    for batch in cache.batches([config.hook_point], labels=[config.label]):
        for side in sums:
            chosen = batch.activations[config.hook_point][batch.labels[config.label] == side]
            sums[side] = sums[side] + chosen.sum(axis=0, dtype="float64")
            counts[side] += len(chosen)
    if not all(counts.values()):
        raise ValueError(f"{config.label} is the same on all frames of the cache. Choose another --label")
    differences = sums[True] / counts[True] - sums[False] / counts[False]  # [channel, row, col] or [unit]
    rows = [ChannelDifference(channel, float(entry.mean())) for channel, entry in enumerate(differences)]
    rows.sort(key=lambda row: -abs(row.difference))
    where = {"channel": rows[0].channel, "hook_point": config.hook_point, "label": config.label}
    record.metric("channel-means/largest_difference", rows[0].difference, where, "activation", n=len(cache))
    record.table("differences", rows, f"Mean where {config.label} is true, minus where it is false.")
    return rows


ANALYSIS = Analysis(Config, run, open_cache=ActivationCache.open)
