"""heist-spatial: does the agent go where some channels are made to say that the key is, and if not, why not?

For each network: at every size of map, on single frames, spots of the channels that track a key, from none to ten times
their maximum; patches of some, many and all channels from the level with its key really moved; and the key's vector
over all channels moved. At one hook point the same in play, beside matched controls. `heist_spatial_setup.py` holds the
scales, `procscope.interventions.fake_study` what is done at one hook point, `heist_spatial_results.py` and
`heist_spatial_numbers.py` what is made of it, `heist_spatial_report.py` how it is told, and
docs/experiments/heist-spatial.md what was found.
"""

from collections.abc import Callable
from typing import Any

from torch import nn

from procscope.experiments.heist_networks import centers_of, places_of
from procscope.experiments.heist_spatial_numbers import TARGET, record_numbers
from procscope.experiments.heist_spatial_report import write_report
from procscope.experiments.heist_spatial_results import FramesResult, PlayResult, SpatialStudy
from procscope.experiments.heist_spatial_setup import SCALES, Config
from procscope.experiments.maze_networks import open_networks, training_of
from procscope.interventions.fake_study import FakeStudy, study_frames, study_play
from procscope.workbench.checkpoints import LoadedModel, load_network
from procscope.workbench.experiments import Experiment
from procscope.workbench.members import Members
from procscope.workbench.parallel import parallel_map
from procscope.workbench.runs import RunRecord

STUDIES: dict[str, Callable[[nn.Module, FakeStudy], dict[str, Any]]] = {
    "frames": study_frames,
    "play": study_play,
}


def run(config: Config, record: RunRecord) -> None:
    """Edit every network at every hook point, record the numbers, write the report."""
    models, members = open_networks(config.models, record), record.members()
    studies = [study_network(model, config, members, record.seed) for model in models]
    write_report(record_numbers(record, studies), config, studies)


def study_network(model: LoadedModel, config: Config, members: Members, seed: int) -> SpatialStudy:
    """Everything about one network; what is done at one hook point is kept."""
    places = places_of(model)
    on_frames = config.hook_points or places.maps
    in_play = config.played_hook_points or (places.middle,)
    planned = [
        {"kind": kind, "study": config.study(model.name, model.weights_hash, name, center, seed)}
        for kind, names in (("frames", on_frames), ("play", in_play))
        for name, center in zip(names, centers_of(model, names), strict=True)
    ]
    pending = members.pending(planned)
    for index, found in parallel_map(study_one, pending, workers=config.workers, description="hook points"):
        members.put(pending[index], found)
    results = [(one["kind"], one["study"], members.get(one)) for one in planned]
    return SpatialStudy(
        model.name,
        training_of(model),
        {study.hook_point: FramesResult(study, found) for kind, study, found in results if kind == "frames"},
        {study.hook_point: PlayResult(study, found) for kind, study, found in results if kind == "play"},
    )


def study_one(planned: dict[str, Any]) -> dict[str, Any]:
    """One hook point. Raises ValueError: the network's weights are not those named."""
    study: FakeStudy = planned["study"]
    loaded = load_network(study.model)
    if loaded.weights_hash != study.weights_hash:
        raise ValueError(
            f"{study.model} has the weights {loaded.weights_hash[:16]}, the study is about "
            f"{study.weights_hash[:16]}. Start it anew with the network as it is now"
        )
    return STUDIES[planned["kind"]](loaded.network, study)


EXPERIMENT = Experiment(
    name="heist-spatial",
    question="Does a Heist agent go where channels that track the key are made to say that it is, by one channel, by "
    "several, at up to ten times their maximum; and which of the explanations holds if it does not?",
    targets=(TARGET,),
    scales=SCALES,
    run=run,
)
