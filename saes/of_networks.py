"""Which autoencoders belong to which networks: for experiments that take files of both.

require_saes_of(models, config.saes)                 # once, before anything is computed
saes_of(model, config.saes)["conv_out"].sae          # those of one network, by hook point
"""

from collections.abc import Sequence

from procscope.saes.sae import TrainedSae, load_sae
from procscope.workbench.checkpoints import LoadedModel


def require_saes_of(models: Sequence[LoadedModel], saes: Sequence[str]) -> None:
    """Raises ValueError: a file that was trained on none of the networks, or two of one network and hook point."""
    known = {model.weights_hash for model in models}
    for name in saes:
        trained = load_sae(name)
        if trained.model_hash not in known:
            raise ValueError(
                f"expected autoencoders of the networks {', '.join(model.name for model in models)}; {name} was "
                f"trained on {trained.model or 'a network without a name'} (weights {trained.model_hash[:12]})"
            )
    for model in models:
        saes_of(model, saes)


def saes_of(model: LoadedModel, saes: Sequence[str]) -> dict[str, TrainedSae]:
    """The autoencoders of these files that were trained on a network, by hook point.

    Raises ValueError: two of one hook point.
    """
    found: dict[str, TrainedSae] = {}
    for name in saes:
        trained = load_sae(name)
        if trained.model_hash != model.weights_hash:
            continue
        if trained.hook_point in found:
            raise ValueError(
                f"expected one autoencoder for each hook point; given {found[trained.hook_point].name} and {name} for "
                f"{trained.hook_point!r} of {model.name}"
            )
        found[trained.hook_point] = trained
    return found
