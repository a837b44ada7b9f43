"""Interventions as values and on networks: numbers worked out by hand, other ways there, bad input, hooks gone."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn
from untrained_impala import noise_frames, untrained_impala

from procscope.activations.capture import capture
from procscope.activations.channel_statistics import channel_statistics
from procscope.activations.hooks import HookedNetwork, HookPoint, hook_modules
from procscope.agents.networks.impala import Impala
from procscope.interventions.ablation import MeanAblation, ZeroAblation
from procscope.interventions.apply import applied
from procscope.interventions.intervention import Intervention
from procscope.workbench.configs import plain, restored


@dataclass(frozen=True)
class Added(Intervention):
    """A user's own: the chosen channels grow by an amount."""

    amount: float = 1.0
    kind: Literal["test-added"] = field(default="test-added", repr=False, kw_only=True)

    def replacement(self, chosen):
        return chosen + self.amount


class Tiny(HookedNetwork):
    """y = w . (x + b): two maps of one position each, small enough for paper."""

    def __init__(self):
        super().__init__()
        self.maps, self.out, self.unused = HookPoint(), HookPoint(), HookPoint()
        self.setup()

    def forward(self, x):
        maps = self.maps(x + torch.tensor([10.0, 20.0]).reshape(1, 2, 1, 1))
        return self.out(maps.sum((2, 3)) @ torch.tensor([[1.0, 0.0], [3.0, -1.0]]))


@pytest.fixture
def impala():
    return untrained_impala().eval()


@pytest.fixture
def frames():
    return noise_frames()


def hooks_left(network):
    attached = [name for name, point in network.hook_points().items() if point.has_hooks()]
    return attached + [name for name, module in network.named_modules() if module._forward_hooks]


X = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).reshape(2, 2, 1, 1)
"""Maps become [[11, 22], [13, 24]]; out is [a + 3b, -b]: [[77, -22], [85, -24]]."""


@pytest.mark.parametrize(
    ("interventions", "expected"),
    [
        ([], [[77, -22], [85, -24]]),
        ([ZeroAblation("maps", [0])], [[66, -22], [72, -24]]),
        ([ZeroAblation("maps", [1])], [[11, 0], [13, 0]]),
        ([ZeroAblation("maps")], [[0, 0], [0, 0]]),
        ([MeanAblation("maps", [1], means=[2.5])], [[18.5, -2.5], [20.5, -2.5]]),
        ([MeanAblation("maps", [1, 0], means=[1.0, 100.0])], [[103, -1], [103, -1]]),
        ([MeanAblation("out", means=[7.0, 8.0])], [[7, 8], [7, 8]]),
        ([ZeroAblation("out", [1])], [[77, 0], [85, 0]]),
        ([Added("maps", [0], 5.0), ZeroAblation("out", [1])], [[82, 0], [90, 0]]),
        ([ZeroAblation("maps", [0]), Added("maps", [0], 5.0)], [[71, -22], [77, -24]]),
        ([Added("maps", [0], 5.0), ZeroAblation("maps", [0])], [[66, -22], [72, -24]]),
    ],
)
def test_numbers_worked_out_by_hand(interventions, expected):
    network = Tiny()
    with applied(network, *interventions) as same:
        assert same is network
        torch.testing.assert_close(network(X), torch.tensor(expected, dtype=torch.float32))
    assert hooks_left(network) == []
    torch.testing.assert_close(network(X), torch.tensor([[77.0, -22], [85, -24]]))


def test_blocks_nest_and_the_inner_acts_after_the_outer():
    network = Tiny()
    with applied(network, Added("maps", [0], 5.0)):
        with applied(network, ZeroAblation("maps", [0])):
            assert network(X)[0, 0] == 66
        assert network(X)[0, 0] == 82
        with applied(network, Added("maps", [0], 2.0)):
            assert network(X)[0, 0] == 84


@pytest.mark.parametrize("hook_point", ["conv_out", "fc"])
def test_zeroing_equals_zeroing_the_weights_that_read_it(impala, frames, hook_point):
    untouched = capture(impala, frames, [hook_point], dtype="float32")
    activation = untouched.activations[hook_point]
    channel = int(np.abs(activation).reshape(5, activation.shape[1], -1).sum(axis=(0, 2)).argmax())
    with applied(impala, ZeroAblation(hook_point, [channel])):
        ablated = capture(impala, frames, [hook_point])
    assert (ablated.activations[hook_point][:, channel] == 0).all()
    with torch.no_grad():
        if hook_point == "conv_out":
            impala.weights_fc.weight.unflatten(1, (8, 8, 8))[:, channel] = 0
        else:
            impala.policy_head.weight[:, channel] = 0
    np.testing.assert_allclose(capture(impala, frames, []).logits, ablated.logits, atol=1e-5)
    assert np.abs(untouched.logits - ablated.logits).max() > 1e-3, (
        "the channel was active, so the test can fail"
    )


def test_mean_ablation_of_what_was_measured(impala, frames):
    before = capture(impala, frames, ["conv_out"], dtype="float32").activations["conv_out"]
    statistics = channel_statistics(before)
    with applied(impala, MeanAblation.of(statistics, "conv_out", [2, 5])):
        after = capture(impala, frames, ["conv_out"], dtype="float32").activations["conv_out"]
    for channel in range(8):
        wanted = before[:, channel].mean(dtype=float) if channel in (2, 5) else before[:, channel]
        np.testing.assert_allclose(
            after[:, channel], np.broadcast_to(wanted, after[:, channel].shape), rtol=1e-6
        )
    with pytest.raises(ValueError, match="from 0 to 7"):
        MeanAblation.of(statistics, "conv_out", [8])


def test_wrapped_and_bare_modules(frames):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.LazyLinear(3))
    x = torch.rand(2, 3, 6, 6)
    untouched = module(x)
    with torch.no_grad():
        maps = module[0](x)
        maps[:, 1] = 0
        expected = module[3](maps.relu().flatten(1))
    assert not torch.allclose(untouched, expected)
    for network in (module, hook_modules(module, ["0", "1"])):
        with applied(network, ZeroAblation("0", [1])):
            torch.testing.assert_close(network(x), expected)
        torch.testing.assert_close(network(x), untouched)
    with (
        pytest.raises(ValueError, match="expected the name of a hook point"),
        applied(module, ZeroAblation("7")),
    ):
        pass


def test_the_activation_is_never_changed_in_place():
    activation = torch.rand(3, 4, 2, 2)
    before = activation.clone()
    for one in (ZeroAblation("a"), ZeroAblation("a", [1]), MeanAblation("a", [0], means=[3.0]), Added("a")):
        new = one.replaced(activation)
        assert new.shape == activation.shape
        assert new.data_ptr() != activation.data_ptr()
        new.add_(1)  # no view of one number, either
    assert torch.equal(activation, before)


def test_gradients_pass_through_what_was_left_alone():
    activation = torch.rand(2, 3, requires_grad=True)
    ZeroAblation("a", [1]).replaced(activation).sum().backward()
    assert activation.grad is not None
    assert activation.grad.tolist() == [[1, 0, 1]] * 2


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_hooks_are_gone_after_any_exception_and_others_stay(error):
    network = Tiny()
    with network.hooks([("maps", lambda a, hook: a * 2)]):
        with pytest.raises(error), applied(network, ZeroAblation("maps", [0]), Added("out")):
            raise error
        assert network(X)[0, 0] == 2 * 77
    assert hooks_left(network) == []


@pytest.mark.parametrize(
    ("intervention", "message"),
    [
        (ZeroAblation("conv_uot", [1]), "Did you mean conv_out"),
        (ZeroAblation("conv_out", [3, 8]), r"from 0 to 7, since hook point 'conv_out' has 8; given \[8\]"),
        (ZeroAblation("value", [0]), "no channels"),
        (MeanAblation("fc", means=[1.0, 2.0]), "activation of 2 channels"),
    ],
)
def test_misuse_is_refused_and_leaves_no_hooks(impala, frames, intervention, message):
    with pytest.raises(ValueError, match=message), applied(impala, Added("fc"), intervention):
        capture(impala, frames, [])
    assert hooks_left(impala) == []


def test_a_hook_point_that_is_never_reached_is_an_error():
    network = Tiny()
    with applied(network, ZeroAblation("unused")):
        pass
    message = r"never reached .*ZeroAblation\(hook_point='unused'"
    with (
        pytest.raises(ValueError, match=message),
        applied(network, ZeroAblation("maps"), ZeroAblation("unused")),
    ):
        network(X)
    assert hooks_left(network) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: ZeroAblation("a", [-1]),
        lambda: ZeroAblation("a", [1, 1]),
        lambda: ZeroAblation("a", []),
        lambda: MeanAblation("a", [1], means=[1.0, 2.0]),
        lambda: MeanAblation("a", [1], means=[float("nan")]),
        lambda: MeanAblation("a", means=[]),
    ],
)
def test_values_that_make_no_sense(make):
    with pytest.raises(ValueError, match="expected"):
        make()


@pytest.mark.parametrize(
    "one",
    [
        ZeroAblation("conv_out"),
        ZeroAblation("fc", [4, 2]),
        MeanAblation("fc", [4, 2], means=[0.1, 1.0]),
        Added("fc"),
    ],
)
def test_values_print_compare_and_come_back_from_configs(one):
    stored = json.loads(json.dumps(one.to_config()))
    back = Intervention.from_config(stored)
    assert back == one
    assert hash(back) == hash(one)
    assert eval(repr(one)) == one
    assert restored(type(one), plain(one)) == one
    assert one != ZeroAblation("fc", [4])


def test_configs_of_unknown_kinds():
    with pytest.raises(ValueError, match="zero-ablation"):
        Intervention.from_config({"kind": "zero-ablatoin", "hook_point": "a", "channels": None})
    with pytest.raises(ValueError, match="missing fields"):
        Intervention.from_config({"kind": "zero-ablation", "hook_point": "a"})


def test_the_documented_examples_run():
    text = (Path(__file__).parent.parent / "docs" / "interventions.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL))
    shipped = 'load_network("maze-easy-topright").network'
    assert shipped in code
    own = re.search(r"## Your own\n\n```python\n(.*?)```", text, flags=re.DOTALL)
    assert own is not None
    lines = [
        line
        for line in own.group(1).splitlines()
        if line and not line.startswith(("from ", "with ", "    doubled"))
    ]
    assert len(lines) <= 10
    names = {"Impala": Impala, "__name__": __name__}
    exec(
        code.replace(shipped, "Impala((2, 3, 32), hidden=16)").replace("1_000_000_064", "1_000_000_040"),
        names,
    )
    assert (names["zeroed"].activations["conv_out"][:, 21] == 0).all()
    twice = names["untouched"].activations["conv_out"][:, 21].astype(float)
    twice[:, :4] *= 2
    np.testing.assert_allclose(names["doubled"].activations["conv_out"][:, 21], twice, rtol=2e-3)
    assert names["part"].logits.shape == (33, 40, 15)
    assert len(names["sweep"].table) == 8 * 4
    assert len(names["found"].table) == 2
