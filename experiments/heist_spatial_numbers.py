"""The numbers that `heist-spatial` makes of its results, under the ids that `published.toml` has claims about."""

from collections.abc import Sequence

from procscope.experiments.heist_spatial_results import FramesResult, PlayResult, SpatialStudy
from procscope.experiments.maze_networks import record_over_networks
from procscope.interventions.fake_study import MOVED
from procscope.interventions.named_arms import UNTOUCHED
from procscope.workbench.ledger import Ledger
from procscope.workbench.runs import RunRecord

TARGET = "S4.spatial-intervention"
BEST_SPOT = "best spot"
VECTOR = "vector x1"


def record_numbers(record: RunRecord, studies: Sequence[SpatialStudy]) -> Ledger:
    """Record every number of every network, with verdicts where a rule covers them, and means over networks."""
    ledger = Ledger(record)
    for study in studies:
        for hook_point, frames in study.frames.items():
            _record_frames(ledger, frames, study.where | {"hook_point": hook_point})
        for hook_point, play in study.play.items():
            _record_play(ledger, play, study.where | {"hook_point": hook_point})
    record_over_networks(ledger, [f"{TARGET}/{name}" for name in ("fake_gain", "vector_over_spot")])
    return ledger


def _record_frames(ledger: Ledger, frames: FramesResult, where: dict) -> None:
    for arm in frames.arms:
        place = where | {"arm": arm}
        ledger.add(f"{TARGET}/share_of_moving", lambda a=arm: frames.share(a), place, "share")
        ledger.add(f"{TARGET}/switched", lambda a=arm: frames.mean(a, "switched"), place, "share")
        ledger.add(f"{TARGET}/action_kl", lambda a=arm: frames.mean(a, "action_kl"), place, "nats")
    k = frames.quarter
    ledger.add(f"{TARGET}/near_share", lambda: frames.share("near"), where, "share")
    ledger.add(
        f"{TARGET}/redundancy",
        lambda: frames.difference(f"patch {k}", "patch 1"),
        where | {"count": k},
        "share",
    )
    ledger.add(
        f"{TARGET}/trackers_over_random",
        lambda: frames.difference(f"patch {k}", f"patch random {k}"),
        where | {"count": k},
        "share",
    )


def _record_play(ledger: Ledger, play: PlayResult, where: dict) -> None:
    for arm in play.arms:
        place = where | {"arm": arm}
        ledger.add(f"{TARGET}/fake_first", lambda a=arm: play.reached(a), place, "share")
        ledger.add(f"{TARGET}/key_first", lambda a=arm: play.reached(a, "key_first"), place, "share")
        if arm != UNTOUCHED:
            ledger.add(f"{TARGET}/fake_gain", lambda a=arm: play.difference(a, UNTOUCHED), place, "share")
            ledger.add(
                f"{TARGET}/key_gain", lambda a=arm: play.difference(a, UNTOUCHED, "key_first"), place, "share"
            )
        of, _, control = arm.partition(": ")
        if control:
            kind = control.replace("channels", "channel")
            ledger.add(
                f"{TARGET}/over_control",
                lambda o=of, a=arm: play.difference(o, a),
                where | {"arm": of, "control": kind},
                "share",
            )
    best = play.best_spot()
    ledger.add(
        f"{TARGET}/fake_gain",
        lambda: play.over(best, UNTOUCHED),
        where | {"arm": BEST_SPOT, "chosen": best},
        "share",
    )
    ledger.add(
        f"{TARGET}/vector_over_spot", lambda: play.over(VECTOR, best), where | {"chosen": best}, "share"
    )
    ledger.add(f"{TARGET}/vector_of_moving", lambda: play.difference(VECTOR, MOVED), where, "share")
