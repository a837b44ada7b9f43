"""The layouts of other code bases that can be imported, as their public sources have them.

To add one: give its names, and a test that writes the code base's forward pass anew and compares outputs.

    train-procgen        joonleesky/train-procgen-pytorch and its forks; UlisseMini/procgen-tools (the channel-121
                         study) reads the same files. Frames divided by 255; block: convolution, max-pool 3/2 with
                         padding 1, two residual units that begin with a ReLU; ReLU, flatten, linear, ReLU
    cleanrl              vwxyzjn/cleanrl, ppo_procgen.py: the same network, flattened before the ReLU (no difference)
    sb3-cnn-policy       DLR-RM/stable-baselines3, PPO or A2C with CnnPolicy and no further hidden layers, on 64x64
                         frames, which it divides by 255
    pacman-dqn           the Ms. Pac-Man agents of the SAE study; frames of 0..255 as they are

Procgen's 15 actions come in one order everywhere, that of the engine.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from procscope.agents.importers.layout import Layout


def _impala_options(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    return {
        "widths": [len(tensors[f"block{block}.weights.bias"]) for block in (1, 2, 3)],
        "hidden": len(tensors["weights_fc.bias"]),
        "n_actions": len(tensors["policy_head.bias"]),
    }


def _nature_options(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    return {"hidden": len(tensors["weights_fc.bias"]), "n_actions": len(tensors["policy_head.bias"])}


_BLOCKS = [(block, unit, conv) for block in (1, 2, 3) for unit in (1, 2) for conv in (1, 2)]

TRAIN_PROCGEN = Layout(
    name="train-procgen",
    source="joonleesky/train-procgen-pytorch and procgen-tools: embedder.block1.conv.weight …",
    architecture="impala",
    layers={f"embedder.block{block}.conv": f"block{block}.weights" for block in (1, 2, 3)}
    | {
        f"embedder.block{block}.res{unit}.conv{conv}": f"block{block}.unit{unit}.weights{conv}"
        for block, unit, conv in _BLOCKS
    }
    | {"embedder.fc": "weights_fc", "fc_policy": "policy_head", "fc_value": "value_head"},
    options=_impala_options,
)

CLEANRL = Layout(
    name="cleanrl",
    source="cleanrl's ppo_procgen: network.0.conv.weight …",
    architecture="impala",
    layers={f"network.{block - 1}.conv": f"block{block}.weights" for block in (1, 2, 3)}
    | {
        f"network.{block - 1}.res_block{unit - 1}.conv{conv - 1}": f"block{block}.unit{unit}.weights{conv}"
        for block, unit, conv in _BLOCKS
    }
    | {"network.5": "weights_fc", "actor": "policy_head", "critic": "value_head"},
    options=_impala_options,
)

SB3_CNN_POLICY = Layout(
    name="sb3-cnn-policy",
    source="Stable-Baselines3's .zip of PPO or A2C with CnnPolicy: features_extractor.cnn.0.weight …",
    architecture="nature-cnn",
    layers={
        "features_extractor.cnn.0": "weights_conv1",
        "features_extractor.cnn.2": "weights_conv2",
        "features_extractor.cnn.4": "weights_conv3",
        "features_extractor.linear.0": "weights_fc",
        "action_net": "policy_head",
        "value_net": "value_head",
    },
    options=_nature_options,
    copies=("pi_features_extractor.", "vf_features_extractor."),
    copied_from="features_extractor.",
)

PACMAN_DQN = Layout(
    name="pacman-dqn",
    source="the SAE study's Ms. Pac-Man agents: conv1.weight … fc3.bias",
    architecture="pacman-dqn",
    layers={
        "conv1": "weights_conv1",
        "conv2": "weights_conv2",
        "conv3": "weights_conv3",
        "fc1": "weights_fc1",
        "fc2": "weights_fc2",
        "fc3": "q_head",
    },
    options=lambda tensors: {"n_actions": len(tensors["q_head.bias"])},
    environment={"game": "ms-pacman"},
)

LAYOUTS = (TRAIN_PROCGEN, CLEANRL, SB3_CNN_POLICY, PACMAN_DQN)
