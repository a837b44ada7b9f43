"""sae-maze: does a sparse autoencoder split what the maze networks' channels and units mix?

Autoencoders for the last convolutional layer and for the fully connected one: top-k, and the L1 one of S4's study. How
much is dead, whether the agent still plays with the reconstruction spliced in, and whether single latents say
where things are and where to go better than single channels and units. `sae_study.py` holds the steps,
`procscope.saes` what is measured, and docs/saes.md what was found.
"""

from procscope.experiments.sae_study import Config, scales, study
from procscope.workbench.experiments import Experiment

SMALL = Config(
    models=("maze-easy-topright", "maze-easy-anywhere"),
    variant=("cheese-anywhere",),
    saes=(
        "fc top-k 1024 16",
        "conv_out top-k 256 8 16",
        "conv_out l1 128 8 16",
    ),
)

EXPERIMENT = Experiment(
    name="sae-maze",
    question="Do latents of sparse autoencoders say where the mouse and the cheese are and where to go "
    "more clearly than the channels and units of maze networks, and does the mouse still find the "
    "cheese through them?",
    targets=("S4.sae", "S4.vis-sae-vs-raw"),
    scales=scales(SMALL),
    run=study,
)
