"""sae-coinrun: does a sparse autoencoder split what the CoinRun networks' channels and units mix?

Autoencoders for the last convolutional layer and for the fully connected one: top-k, and the L1 one of S4's study. How
much is dead, whether the agent still plays with the reconstruction spliced in, and whether single latents say
what lies ahead better than single channels and units. `sae_study.py` holds the steps,
`procscope.saes` what is measured, and docs/saes.md what was found.
"""

from procscope.experiments.sae_study import Config, scales, study
from procscope.workbench.experiments import Experiment

SMALL = Config(
    models=("coinrun-easy-atend",),
    variant=(),
    saes=(
        "fc top-k 1024 16",
        "conv_out top-k 256 8 16",
        "conv_out l1 128 8 16",
    ),
)

EXPERIMENT = Experiment(
    name="sae-coinrun",
    question="Do latents of sparse autoencoders say what lies ahead in CoinRun more clearly than channels "
    "and units, how many are dead, and does the agent still play through them?",
    targets=("S4.sae", "S4.vis-sae-vs-raw"),
    scales=scales(SMALL),
    run=study,
)
