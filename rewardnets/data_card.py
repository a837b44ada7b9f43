"""What a data set of transitions holds, and how well a network does on it, in words: all numbers are counted.

When: printed by `transitions build`, `transitions info` and `train reward`, and part of a reward network's card.
"""

import numpy as np

from procscope.rewardnets.scores import RewardScores
from procscope.rewardnets.splits import Split
from procscope.rewardnets.transitions import Transitions


def data_card(data: Transitions) -> str:
    """The card of a data set, as Markdown."""
    source, counts = data.cache.source, data.cache.counts
    environment, sampling, actor = source["environment"], source["sampling"], source["actor"]
    low, high = environment["level_seeds"]
    who = ", ".join(f"{name} {value}" for name, value in actor.items())
    kept = _share(int((data.rewards != 0).sum()), len(data))
    facts = {
        "played": f"{counts['transitions']:,} transitions, "
        f"{_share(counts['rewarded_transitions'], counts['transitions'])} of them rewarded",
        "episodes that ended": f"{counts['episodes']:,}, "
        f"{_share(counts['rewarded_episodes'], counts['episodes'])} of them rewarded",
        "kept": f"{len(data):,} transitions: every rewarded one, another with probability "
        f"{sampling['keep_unrewarded']:g}; {kept} are rewarded",
        "actor": who,
        "environment": f"mode {environment['mode']}, variants {' '.join(environment['variants']) or 'none'}, "
        f"level seeds {low} to {high - 1}",
        "seed": source["seed"],
    }
    lines = [
        f"# Transitions of {environment['game']}",
        "",
        "| | |",
        "|---|---|",
        *(f"| {what} | {value} |" for what, value in facts.items()),
        "",
        "| side | levels | transitions | rewarded | loss of guessing its mean | the same, as played |",
        "|---|---|---|---|---|---|",
        *(_row(data, split) for split in Split),
        "",
        "All transitions of a level are on one side. As played: with every kept transition counted as often as it "
        "stands for.",
    ]
    return "\n".join(lines)


def scores_text(scores: RewardScores) -> str:
    """A network's scores, as Markdown."""
    lines = [
        f"Squared error on {scores.n:,} transitions of levels that it was not trained on: {scores.loss:.3f}, "
        f"{scores.loss / scores.floor:.3f} of the {scores.floor:.3f} of always guessing the mean reward. As played: "
        f"{scores.loss_as_played:.3f}, against {scores.floor_as_played:.3f}. Correlation of predicted and true "
        f"reward: {scores.correlation:.3f}.",
        "",
        "| what happens | transitions | true reward | predicted (mean ± standard deviation) |",
        "|---|---|---|---|",
        *(
            f"| {e.event} | {e.n:,} | {e.reward:.1f} | {e.predicted:.2f} ± {e.deviation:.2f} |"
            for e in scores.events
        ),
    ]
    return "\n".join(lines)


def _row(data: Transitions, split: Split) -> str:
    chosen = data.splits == split
    if not chosen.any():
        return f"| {split.name.lower()} | 0 | 0 | | | |"
    rewards, weights = data.rewards[chosen], data.column("weight")[chosen].astype(np.float64)
    levels = len(np.unique(data.column("level_seed")[chosen]))
    as_played = np.average((rewards - np.average(rewards, weights=weights)) ** 2, weights=weights)
    return (
        f"| {split.name.lower()} | {levels:,} | {chosen.sum():,} | {_share(int((rewards != 0).sum()), len(rewards))} | "
        f"{rewards.var():.3f} | {as_played:.3f} |"
    )


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({100 * part / whole:.2f}%)" if whole else "0"
