"""Hook points: what hooks see and replace, and that nothing of them is left behind."""

import copy
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from procscope.activations.hooks import HookedNetwork, HookPoint, hook_modules


class TwoLayers(HookedNetwork):
    """y = W2 relu(W1 x), with hook points between."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)
        self.inner = nn.Module()
        self.inner.pre = HookPoint()
        self.post = HookPoint()
        self.setup()

    def forward(self, x):
        return self.second(self.post(self.inner.pre(self.first(x)).relu()))


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = TwoLayers()
    nn.init.constant_(network.first.bias, 0.5)  # so that units are active on most inputs
    return network


@pytest.fixture
def x():
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(1))


def footprint(model):
    """Everything that a forgotten hook would change: weights, hooks of every module, flags."""
    return (
        {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()},
        [
            (path, dict(m._forward_hooks), dict(m._backward_hooks), dict(m._backward_pre_hooks), m.training)
            for path, m in model.named_modules()
        ],
        [(list(m.fwd_hooks), list(m.bwd_hooks)) for m in model.modules() if isinstance(m, HookPoint)],
    )


def test_names_are_module_paths(network):
    assert list(network.hook_points()) == ["inner.pre", "post"]
    assert network.inner.pre.name == "inner.pre"
    assert list(network.state_dict()) == ["first.weight", "first.bias", "second.weight", "second.bias"]


def test_activations_are_those_computed_by_hand(network, x):
    output, activations = network.run_with_cache(x)
    by_hand = x @ network.first.weight.T + network.first.bias
    torch.testing.assert_close(activations["inner.pre"], by_hand)
    torch.testing.assert_close(activations["post"], by_hand.clamp(min=0))
    torch.testing.assert_close(output, by_hand.clamp(min=0) @ network.second.weight.T + network.second.bias)
    assert list(network.run_with_cache(x, names_filter="post")[1]) == ["post"]
    assert list(network.run_with_cache(x, names_filter=lambda name: "." in name)[1]) == ["inner.pre"]


@pytest.mark.parametrize("wrap", [False, True])
def test_a_returned_tensor_replaces_the_activation(network, x, wrap):
    model = hook_modules(network, ["post", "first"]) if wrap else network
    seen = []

    def zero_unit(activation, hook):
        seen.append(hook.name)
        return activation * torch.tensor([1.0, 1.0, 0.0, 1.0])

    replaced = model.run_with_hooks(x, fwd_hooks=[("post", zero_unit)])
    hidden = (x @ network.first.weight.T + network.first.bias).clamp(min=0)
    assert hidden[:, 2].abs().max() > 0.1, "the unit must matter, or this test proves nothing"
    rest = [0, 1, 3]
    expected = hidden[:, rest] @ network.second.weight[:, rest].T + network.second.bias
    torch.testing.assert_close(replaced, expected)
    assert seen == ["post"]


@pytest.mark.parametrize("wrap", [False, True])
def test_backward_hooks_see_and_replace_the_gradient_of_the_activation(network, x, wrap):
    model = hook_modules(network, ["post"]) if wrap else network
    gradients = []

    def double(gradient, hook):
        gradients.append(gradient.clone())
        return 2 * gradient

    network(x).sum().backward()
    plain = network.first.weight.grad.clone()
    network.zero_grad()
    with model.hooks(bwd_hooks=[("post", double)]):
        model(x).sum().backward()
    torch.testing.assert_close(gradients[0], network.second.weight.sum(0).expand(5, 4))
    torch.testing.assert_close(network.first.weight.grad, 2 * plain)


def test_unchanged_afterwards_whatever_is_raised(network, x):
    wrapped = hook_modules(network, ["first", "second"])
    before, output = footprint(network), network(x)

    def fail(activation, hook):
        raise RuntimeError("in a hook")

    for model, name in ((network, "post"), (wrapped, "first")):
        with pytest.raises(RuntimeError, match="in a hook"):
            model.run_with_hooks(x, fwd_hooks=[(name, lambda a, hook: a * 2), (name, fail)])
        with pytest.raises(KeyError), model.hooks([(name, fail)]):
            raise KeyError
        with pytest.raises(ValueError, match="hook point"):
            model.run_with_hooks(x, fwd_hooks=[(name, fail), ("nowhere", fail)])
        model.run_with_cache(x)
    assert footprint(network) == before
    assert torch.equal(network(x), output)


def test_hooks_nest_and_leave_others_alone(network, x):
    own = network.post.add_hook(lambda a, hook: a + 1)
    torch_calls = []
    network.first.register_forward_hook(lambda *_: torch_calls.append(1))
    with_own = network(x)
    with network.hooks([("post", lambda a, hook: a * 3)]):
        with network.hooks([("post", lambda a, hook: a * 0), ("inner.pre", lambda a, hook: a - 1)]):
            torch.testing.assert_close(network(x), network.second.bias.expand(5, 2))
        hidden = (x @ network.first.weight.T + network.first.bias).clamp(min=0)
        expected = (3 * (hidden + 1)) @ network.second.weight.T + network.second.bias
        torch.testing.assert_close(network(x), expected)
    assert torch.equal(network(x), with_own)
    assert len(torch_calls) == 4
    own.remove()
    own.remove()
    assert not network.post.has_hooks()


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_hooks_can_be_removed_in_any_order(factors, rng: random.Random):
    point = HookPoint()
    expected = torch.ones(1)
    attached = []
    for double in factors:
        factor = 2.0 if double else 3.0
        attached.append((point.add_hook(lambda a, hook, factor=factor: a * factor), factor))
        expected = expected * factor
    rng.shuffle(attached)
    for handle, factor in attached:
        assert torch.equal(point(torch.ones(1)), expected)
        handle.remove()
        expected = expected / factor
    assert torch.equal(point(torch.ones(1)), torch.ones(1))
    assert not point._forward_hooks


def test_prepend_permanent_and_levels():
    point = HookPoint()
    point.add_hook(lambda a, hook: a + 1)
    point.add_hook(lambda a, hook: a * 10, prepend=True)
    assert point(torch.ones(1)).item() == 11
    point.add_perma_hook(lambda a, hook: -a)
    point.add_hook(lambda a, hook: a * 0, level=1)
    assert point(torch.ones(1)).item() == 0
    point.remove_hooks(level=1)
    assert point(torch.ones(1)).item() == -11
    point.remove_hooks("both")
    assert point(torch.ones(1)).item() == -1
    assert point.has_hooks("fwd")
    assert not point.has_hooks("fwd", including_permanent=False)
    point.remove_hooks(including_permanent=True)
    assert not point.has_hooks()
    for call in (lambda: point.add_hook(lambda a, hook: a, dir="up"), lambda: point.remove_hooks("up")):
        # Where argument types are checked at call time, that check comes first.
        with pytest.raises(Exception, match="'up'"):
            call()


def test_unknown_names_suggest_the_nearest(network, x):
    with pytest.raises(ValueError, match=r"'pst'.*post"):
        network.run_with_cache(x, names_filter=["pst"])
    with pytest.raises(ValueError, match=r"'firs'.*first"):
        hook_modules(network, ["firs"])


def test_a_module_used_twice_or_never_is_refused(x):
    shared = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    shared.append(shared[1])
    with pytest.raises(ValueError, match="'1' passed twice"):
        hook_modules(shared, ["1"]).run_with_cache(x)
    shared.spare = nn.Identity()
    network = hook_modules(shared, ["0"])
    network.model.forward = lambda x: shared[2](x)
    with pytest.raises(ValueError, match=r"never reached.*'0'"):
        network.run_with_cache(x)


def test_what_was_read_survives_in_place_operations(x):
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True))
    _, activations = hook_modules(model, ["0"]).run_with_cache(x)
    torch.testing.assert_close(activations["0"], x @ model[0].weight.T + model[0].bias)
    assert activations["0"].min() < 0


def test_a_module_without_one_tensor_as_output_is_refused():
    model = nn.Sequential(nn.LSTM(3, 4))
    with pytest.raises(ValueError, match="LSTM gave tuple"):
        hook_modules(model, ["0"]).run_with_cache(torch.zeros(2, 3))


def test_hooks_of_a_wrapped_module_run_when_the_module_itself_is_called(x):
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    with hook_modules(model, ["1"]).hooks([("1", lambda a, hook: a + 5)]):
        assert model(x).min() >= 5
    assert model(x).min() == 0


def test_a_copied_network_has_its_own_hook_points(network, x):
    other = copy.deepcopy(network)
    with other.hooks([("post", lambda a, hook: a * 0)]):
        assert not torch.equal(other(x), network(x))
