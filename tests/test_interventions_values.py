"""Every kind of intervention: numbers worked out by hand, its stored form, where and when it acts, what it refuses."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from procscope.activations.channel_statistics import channel_statistics
from procscope.activations.hooks import HookedNetwork, HookPoint
from procscope.interventions.ablation import MeanAblation, MinAblation, ZeroAblation
from procscope.interventions.apply import applied
from procscope.interventions.arms import run_arms
from procscope.interventions.array_value import LARGEST_INLINE, ArrayValue
from procscope.interventions.edit_latents import EditLatents
from procscope.interventions.erase import Erase
from procscope.interventions.intervention import Intervention, Rows, kind_of
from procscope.interventions.kinds import known_kinds
from procscope.interventions.patch import Patch
from procscope.interventions.resample import ResampleAblation
from procscope.interventions.scale import Clamp, Scale
from procscope.interventions.shift import ShiftMap
from procscope.interventions.splice import SpliceLatent
from procscope.interventions.spot import SetSpot
from procscope.interventions.steer import Steer, mean_difference


class Maps(HookedNetwork):
    """Two maps of 2 x 3 positions, then weighted sums: out = [sum of w0 * map 0, sum of map 1 - sum of map 0]."""

    def __init__(self):
        super().__init__()
        self.maps, self.out, self.unused = HookPoint(), HookPoint(), HookPoint()
        self.weights = nn.Parameter(torch.tensor([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]]))
        self.setup()

    def forward(self, x):
        maps = self.maps(x)
        first, second = maps[:, 0], maps[:, 1]
        return self.out(torch.stack([(self.weights * first).sum((1, 2)), (second - first).sum((1, 2))], 1))


class TinySae(nn.Module):
    """Latents are relu(a), relu(b), relu(a + b); reconstructions are [l0, l1 + 0.5 l2]."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Parameter(torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]))
        self.decoder = nn.Parameter(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.5]]))

    def encode(self, activation):
        return (activation @ self.encoder).relu()

    def decode(self, latents):
        return latents @ self.decoder


X = torch.tensor([[[[1.0, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]])
"""Map 0 is 1 … 6, map 1 is 7 … 12; out is [(1 + 20 + 300) + (8 + 100 + 1200), 57 - 21] = [1629, 36]."""

MAP0, MAP1 = X[0, 0].tolist(), X[0, 1].tolist()

CASES = {
    "zero": (ZeroAblation("maps", [0]), [[0, 0, 0], [0, 0, 0]], MAP1),
    "zero, one position": (ZeroAblation("maps", [0], positions=[(1, 2)]), [[1, 2, 3], [4, 5, 0]], MAP1),
    "zero, two positions of both": (
        ZeroAblation("maps", positions=[(0, 0), (1, 1)]),
        [[0, 2, 3], [4, 0, 6]],
        [[0, 8, 9], [10, 0, 12]],
    ),
    "zero, a mask": (
        ZeroAblation("maps", [1], positions=np.array([[True, False, False], [False, True, True]])),
        MAP0,
        [[0, 8, 9], [10, 0, 0]],
    ),
    "mean": (MeanAblation("maps", [1], means=[9.5]), MAP0, [[9.5] * 3] * 2),
    "min": (MinAblation("maps", [1, 0], minima=[7.0, 1.0]), [[1] * 3] * 2, [[7] * 3] * 2),
    "scale": (Scale("maps", [0], factor=-2.0), [[-2, -4, -6], [-8, -10, -12]], MAP1),
    "clamp": (Clamp("maps", low=4.0, high=8.0), [[4, 4, 4], [4, 5, 6]], [[7, 8, 8], [8, 8, 8]]),
    "clamp from above": (Clamp("maps", [0], high=2.5), [[1, 2, 2.5], [2.5] * 3], MAP1),
    "patch": (Patch("maps", [1], values=np.full((1, 2, 3), -1.0)), MAP0, [[-1] * 3] * 2),
    "patch at a position": (
        Patch("maps", [0], values=[[[10.0, 20, 30], [40, 50, 60]]], positions=[(0, 1)]),
        [[1, 20, 3], [4, 5, 6]],
        MAP1,
    ),
    "steer by a vector": (
        Steer("maps", vector=[1.0, -1.0], strength=2.0),
        [[3, 4, 5], [6, 7, 8]],
        [[5, 6, 7], [8, 9, 10]],
    ),
    "steer by a map": (
        Steer("maps", [1], vector=[[[0.0, 0, 1], [2, 0, 0]]], strength=-1.0),
        MAP0,
        [[7, 8, 8], [8, 11, 12]],
    ),
    "spot, rest zero": (SetSpot("maps", [0], spot=(1, 0), value=50.0), [[0, 0, 0], [50, 0, 0]], MAP1),
    "spot, rest mean": (
        SetSpot("maps", [1], spot=(0, 2), value=50.0, rest="mean", means=[9.5]),
        MAP0,
        [[9.5, 9.5, 50], [9.5] * 3],
    ),
    "spot, rest untouched": (
        SetSpot("maps", spot=(0, 0), value=[50.0, 60.0], rest="untouched"),
        [[50, 2, 3], [4, 5, 6]],
        [[60, 8, 9], [10, 11, 12]],
    ),
    "spot with a radius": (
        SetSpot("maps", [0], spot=(0, 2), value=9.0, radius=1),
        [[0, 9, 9], [0, 9, 9]],
        MAP1,
    ),
    "shift down and left": (ShiftMap("maps", [0], down=1, right=-1), [[0, 0, 0], [2, 3, 0]], MAP1),
    "shift, a number comes in": (
        ShiftMap("maps", [0], right=2, border=-7.0),
        [[-7, -7, 1], [-7, -7, 4]],
        MAP1,
    ),
    "shift, wrapped": (ShiftMap("maps", [0], down=-1, border="wrap"), [[4, 5, 6], [1, 2, 3]], MAP1),
    "shift, the edge repeated": (
        ShiftMap("maps", [1], right=-2, border="edge"),
        MAP0,
        [[9, 9, 9], [12, 12, 12]],
    ),
    # Off the direction (1, 1): what is left is half the difference, (a - b) / 2 = -3 and 3 at every position.
    "erase a direction": (Erase.directions("maps", [1.0, 1.0]), [[-3] * 3] * 2, [[3] * 3] * 2),
    # Through the center (5, 9): (a - 5 + b - 9) / 2 is taken off both: a becomes (a - b + 14) / 2 = 4, b 10.
    "erase a direction, onto a center": (
        Erase.directions("maps", [1.0, 1.0], center=[5.0, 9.0]),
        [[4] * 3] * 2,
        [[10] * 3] * 2,
    ),
    # Latent 2 is a + b and adds half of itself to b; without it, b loses (a + b) / 2.
    "ablate a latent, error kept": (
        SpliceLatent("maps", autoencoder=TinySae(), latents=[2], scale=0),
        MAP0,
        [[3, 3, 3], [3, 3, 3]],
    ),
    "hold a latent": (
        SpliceLatent("maps", autoencoder=TinySae(), latents=[0], scale=0, add=100.0),
        [[100] * 3] * 2,
        MAP1,
    ),
    "clamp a latent": (
        SpliceLatent("maps", autoencoder=TinySae(), latents=[0], high=3.0),
        [[1, 2, 3], [3, 3, 3]],
        MAP1,
    ),
    # Latent 2, a + b = [[8, 10, 12], [14, 16, 18]], becomes 0 but for 20 at the spot; b gets half of the change.
    "a spot of a latent": (
        EditLatents("maps", autoencoder=TinySae(), edit=SetSpot("maps", [2], spot=(1, 0), value=20.0)),
        MAP0,
        [[3, 3, 3], [13, 3, 3]],
    ),
    # Without the error: a, and b + (a + b) / 2.
    "the reconstruction alone": (
        SpliceLatent("maps", autoencoder=TinySae(), keep_error=False),
        MAP0,
        [[11, 13, 15], [17, 19, 21]],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_numbers_worked_out_by_hand(name):
    one, first, second = CASES[name]
    network = Maps()
    seen = {}
    with applied(network, one), network.hooks([("maps", lambda a, hook: seen.update(maps=a.clone()))]):
        out = network(X)
    maps = torch.tensor([[first, second]], dtype=torch.float32)
    torch.testing.assert_close(seen["maps"], maps)
    weighted = (torch.tensor([[1.0, 10, 100], [2, 20, 200]]) * maps[0, 0]).sum()
    torch.testing.assert_close(out, torch.stack([weighted, maps[0, 1].sum() - maps[0, 0].sum()])[None])
    assert not torch.equal(maps, X), "away from the fixed point"
    torch.testing.assert_close(network(X), torch.tensor([[1629.0, 36.0]]))


@pytest.mark.parametrize("name", CASES)
def test_values_print_compare_and_come_back_from_configs(name):
    one = CASES[name][0]
    stored = json.loads(json.dumps(one.to_config(), allow_nan=False))
    objects = {"autoencoder": TinySae()} if isinstance(one, SpliceLatent | EditLatents) else {}
    back = Intervention.from_config(stored, **objects)
    assert back == one
    assert back.identity() == one.identity()
    assert hash(back) == hash(one)
    assert type(one).__name__ in repr(one)
    assert kind_of(type(one)) in str(one)
    assert "None" not in repr(one), "defaults are not printed"
    torch.testing.assert_close(back.replaced(X), one.replaced(X))


def test_every_kind_is_found_by_its_name():
    seen = {kind_of(type(case[0])) for case in CASES.values()} | {kind_of(ResampleAblation)}
    assert seen == set(known_kinds())


def test_an_interventions_input_is_never_changed():
    for one, _, _ in CASES.values():
        x = X.clone()
        one.replaced(x).add_(1)
        assert torch.equal(x, X)


# -- Frames and steps --

MANY = torch.arange(24.0).reshape(4, 1, 2, 3).expand(4, 2, 2, 3).contiguous()


@pytest.mark.parametrize("frames", [[1, 3], np.array([False, True, False, True]), [False, True, False, True]])
@pytest.mark.parametrize("batch", [1, 3, 4])
def test_only_some_frames_however_they_are_batched(frames, batch):
    network, one = Maps(), ZeroAblation("maps", [0], frames=frames)
    outs = []
    with applied(network, one):
        outs += [network(MANY[i : i + batch]) for i in range(0, 4, batch)]
    expected = network(MANY)
    expected[[1, 3], 1] += MANY[[1, 3], 0].sum((1, 2))
    expected[[1, 3], 0] = 0
    torch.testing.assert_close(torch.cat(outs), expected)
    assert Intervention.from_config(json.loads(json.dumps(one.to_config()))) == one


def test_only_some_steps():
    one = Scale("maps", factor=2.0, steps=range(1, 6, 2))
    rows = Rows(np.zeros(4, np.int64), np.array([0, 1, 5, 6]))
    torch.testing.assert_close(
        one.replaced(MANY, rows), MANY * torch.tensor([1.0, 2, 2, 1]).reshape(4, 1, 1, 1)
    )
    assert Intervention.from_config(json.loads(json.dumps(one.to_config()))) == one
    network = Maps()
    with applied(network, one, rows=lambda n: Rows(np.arange(n), np.full(n, 3))):
        torch.testing.assert_close(network(MANY), 2 * Maps()(MANY))
    with pytest.raises(ValueError, match="frames without one"), applied(network, one):
        network(MANY)


def test_a_patch_of_frames_goes_by_their_numbers():
    values = torch.rand(4, 2, 2, 3)
    one = Patch.of(values, "maps", [1])
    network = Maps()
    with applied(network, one):
        parts = [network(MANY[:1]), network(MANY[1:4])]
    mixed = MANY.clone()
    mixed[:, 1] = values[:, 1]
    torch.testing.assert_close(torch.cat(parts), network(mixed))
    twice = torch.cat([MANY, MANY])
    with pytest.raises(ValueError, match="values for 4 frames, and frame 7 came"), applied(network, one):
        network(twice)


BANK = np.random.default_rng(0).normal(size=(7, 2, 2, 3)).astype(np.float32)


def test_resampling_is_exact_and_does_not_depend_on_batches():
    one = ResampleAblation.of(BANK, "maps", [1], seed=3)
    network = Maps()
    x = torch.rand(40, 2, 2, 3)
    read = []
    for batch in (1, 7, 40):
        kept = []
        hook = ("maps", lambda a, hook, kept=kept: kept.append(a.clone()))
        with applied(network, one), network.hooks([hook]):
            [network(x[i : i + batch]) for i in range(0, 40, batch)]
        read.append(torch.cat(kept))
    assert torch.equal(read[0], read[1])
    assert torch.equal(read[1], read[2])
    drawn = one.drawn(Rows(np.arange(40)))
    assert torch.equal(read[0][:, 1], torch.from_numpy(BANK[drawn, 1])), "whole maps of the frame drawn"
    assert torch.equal(read[0][:, 0], x[:, 0])
    assert set(drawn) == set(range(7))
    assert list(drawn) != list(ResampleAblation.of(BANK, "maps", [1], seed=4).drawn(Rows(np.arange(40))))
    assert Intervention.from_config(json.loads(json.dumps(one.to_config()))) == one


def test_resampling_draws_uniformly_and_never_its_own_if_told():
    rows = Rows(np.repeat(np.arange(7), 400), np.tile(np.arange(400), 7))
    drawn = ResampleAblation.of(BANK, "maps", seed=0, leave_own_out=True).drawn(rows)
    assert (drawn != rows.number).all()
    counts = np.bincount(drawn, minlength=7)
    assert counts.min() > 340, "2,800 draws of 7"
    assert counts.max() < 460
    with pytest.raises(ValueError, match="frame 7 is none of the 7"):
        ResampleAblation.of(BANK, "maps", seed=0, leave_own_out=True).drawn(Rows(np.array([7])))


# -- Arrays --


def test_arrays_are_stored_inside_or_as_a_file_with_a_hash(tmp_path):
    large = np.random.default_rng(0).normal(size=(1, LARGEST_INLINE // 4 + 1)).astype(np.float32)
    one = Patch("fc", [0], values=large)
    with pytest.raises(ValueError, match=r"values, an array of shape .* is too large to be stored"):
        one.to_config()
    assert one.identity()["values"] == ArrayValue.of(large).sha256
    saved = ArrayValue.of(large).saved(tmp_path / "a" / "values.npy")
    assert saved == ArrayValue.of(large)
    one = Steer("fc", vector=saved)
    stored = json.loads(json.dumps(one.to_config()))
    assert len(json.dumps(stored)) < 1000
    np.testing.assert_array_equal(Intervention.from_config(stored).vector.array, large)
    np.save(tmp_path / "a" / "values.npy", large + 1)
    with pytest.raises(ValueError, match="changed since it was stored"):
        Intervention.from_config(stored)


def test_arrays_print_short_and_are_read_only():
    assert repr(ArrayValue.of([1.0, 2.0])) == "ArrayValue.of([1.0, 2.0])"
    value = ArrayValue.of(np.zeros((30, 4)))
    assert repr(value).startswith("ArrayValue(float32[30, 4], #")
    with pytest.raises(ValueError, match="read-only"):
        value.array[0] = 1
    tampered = {**value.__dict__}
    tampered.pop("array")
    with pytest.raises(ValueError, match="changed since"):
        ArrayValue(**{**tampered, "sha256": "0" * 64})


# -- What is refused --


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ZeroAblation("a", positions=[]), "different positions"),
        (lambda: ZeroAblation("a", positions=[(0, 1), (0, 1)]), "different positions"),
        (lambda: ZeroAblation("a", positions=[(0, -1)]), "different positions"),
        (lambda: ZeroAblation("a", positions=[3, 4]), r"\(row, col\) pairs"),
        (lambda: ZeroAblation("a", positions=np.zeros((2, 2), bool)), "true somewhere"),
        (lambda: ZeroAblation("a", frames=[]), "numbers of frames"),
        (lambda: ZeroAblation("a", frames=[2, 2]), "numbers of frames"),
        (lambda: ZeroAblation("a", frames=np.ones((2, 2), bool)), "one entry per frame"),
        (lambda: ZeroAblation("a", steps=range(0)), "counts up from 0"),
        (lambda: ZeroAblation("a", steps=range(5, 0, -1)), "counts up from 0"),
        (lambda: MinAblation("a", [0], minima=[float("inf")]), "one finite minimum"),
        (lambda: Scale("a", factor=float("nan")), "finite factor"),
        (lambda: Clamp("a"), "lower bound, an upper one"),
        (lambda: Clamp("a", low=2.0, high=1.0), "low <= high"),
        (lambda: Clamp("a", low=float("nan")), "finite low"),
        (lambda: Patch("a", values=[[np.nan, 1.0]]), "1 of 2 are NaN"),
        (lambda: Patch("a", [0, 1], values=np.zeros((3, 4))), "patch of 2 channels"),
        (lambda: Patch.of(np.zeros((4, 5)), "a"), "per_frame=True"),
        (lambda: Patch.of(np.zeros((2, 3, 3)), "a", [2]), "from 0 to 1"),
        (lambda: Steer("a", vector=[0.0, 0.0]), "not all 0"),
        (lambda: Steer("a", [1], vector=[1.0, 2.0]), "each of the chosen channels"),
        (lambda: Steer("a", vector=[1.0], strength=float("inf")), "finite strength"),
        (lambda: SetSpot("a", spot=(1,), value=1.0), "a spot"),
        (lambda: SetSpot("a", spot=(1, 1), value=float("nan")), "finite value"),
        (lambda: SetSpot("a", [0], spot=(1, 1), value=[1.0, 2.0]), "each of the 1 channels"),
        (lambda: SetSpot("a", spot=(1, 1), value=1.0, rest="mean"), "means with rest='mean'"),
        (lambda: SetSpot("a", spot=(8, 1), value=1.0, map_size=(8, 8)), "from \\(0, 0\\) to \\(7, 7\\)"),
        (lambda: ShiftMap("a"), "a shift"),
        (lambda: ShiftMap("a", down=1, border="mirror"), "'wrap', 'edge' or a number"),
        (lambda: ShiftMap("a", down=1, border=float("nan")), "finite border"),
        (lambda: Erase.directions("a", [[1.0, 0], [2.0, 0]]), "span 1 dimensions"),
        (lambda: Erase("a", read=np.eye(2), into=np.eye(2), center=[0.0, 0]), "fewer directions"),
        (lambda: ResampleAblation.of(BANK[:1], "a", seed=0), "at least two references"),
        (lambda: ResampleAblation.of(BANK, "a", [2], seed=0), "from 0 to 1"),
        (lambda: SpliceLatent("a", autoencoder=nn.Linear(2, 2), scale=0), "`encode` and `decode`"),
        (lambda: SpliceLatent("a", autoencoder=TinySae()), "changes nothing"),
        (
            lambda: EditLatents("a", autoencoder=nn.Linear(2, 2), edit=ZeroAblation("a")),
            "`encode` and `decode`",
        ),
        (lambda: EditLatents("a", autoencoder=TinySae(), edit=ZeroAblation("b")), "at this hook point"),
        (lambda: SpliceLatent("a", autoencoder=TinySae(), latents=[-1], scale=0), "different latents"),
        (lambda: SpliceLatent("a", autoencoder=TinySae(), low=2.0, high=1.0), "low <= high"),
    ],
)
def test_values_that_make_no_sense(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (ZeroAblation("maps", positions=[(2, 0)]), r"has 2 x 3 positions; given \[\(2, 0\)\]"),
        (ZeroAblation("maps", positions=np.ones((3, 3), bool)), "mask of shape"),
        (ZeroAblation("out", positions=[(0, 0)]), "no positions"),
        (ZeroAblation("maps", frames=np.ones(2, bool)), "the mask of frames has 2 entries, and frame 3 came"),
        (
            Patch("maps", values=np.zeros((2, 3, 3))),
            r"has shape \(2, 3, 3\) per frame; hook point 'maps' has \(2, 2, 3\)",
        ),
        (Patch("maps", [0], values=np.zeros((1, 3))), "Capture the source at the same hook point"),
        (Steer("maps", vector=[1.0, 2.0, 3.0]), "expected a vector of shape"),
        (SetSpot("maps", [0], spot=(2, 0), value=1.0), r"the 2 x 3 map at 'maps', from \(0, 0\) to \(1, 2\)"),
        (SetSpot("out", spot=(0, 0), value=1.0), "expected maps"),
        (ShiftMap("maps", down=2), "more than 2 rows"),
        (Erase.directions("maps", np.ones(5)), "expected 2 dimensions"),
        (ResampleAblation.of(BANK[:, :, :1], "maps", seed=0), "the references have shape"),
        (SpliceLatent("maps", autoencoder=TinySae(), latents=[3], scale=0), "latents from 0 to 2"),
        (EditLatents("maps", autoencoder=TinySae(), edit=ZeroAblation("maps", [3])), "channels from 0 to 2"),
        (ZeroAblation("maps", [2]), "from 0 to 1"),
    ],
)
def test_what_does_not_fit_the_hook_point_is_refused_and_leaves_no_hooks(one, message):
    network = Maps()
    with pytest.raises(ValueError, match=message), applied(network, one):
        network(MANY)
    assert not any(point.has_hooks() for point in network.hook_points().values())
    assert not network._forward_pre_hooks


def test_frames_that_never_come_are_an_error():
    network = Maps()
    with (
        pytest.raises(ValueError, match="number 9, and only 4 passed"),
        applied(network, ZeroAblation("maps", frames=[9])),
    ):
        network(MANY)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (ZeroAblation("maps", [0]), MeanAblation("maps", [0, 1], means=[1.0, 2.0]), "channel 0"),
        (ZeroAblation("maps"), Patch("maps", [1], values=np.zeros((1, 2, 3))), r"channels \[1\]"),
        (
            SetSpot("maps", [0], spot=(0, 0), value=1.0),
            SetSpot("maps", [0], spot=(1, 1), value=2.0),
            "channel 0",
        ),
        (
            SetSpot("maps", [0], spot=(0, 0), value=1.0, rest="untouched"),
            ZeroAblation("maps", [0], positions=[(0, 0), (1, 0)]),
            r"at position \(0, 0\)",
        ),
        (
            ZeroAblation("maps", steps=range(0, 10, 2)),
            ZeroAblation("maps", [1], steps=range(0, 9, 3)),
            "only one of them can hold",
        ),
        (
            ZeroAblation("maps", frames=[1, 2]),
            ZeroAblation("maps", frames=[False, False, True]),
            "all channels",
        ),
    ],
)
def test_contradictions_are_refused_before_anything_runs(first, second, words):
    network = Maps()
    with pytest.raises(ValueError, match=words), applied(network, first, second):
        pytest.fail("the block must not be entered")
    with pytest.raises(ValueError, match=words):
        run_arms(network, MANY, [(first, second)])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ZeroAblation("maps", [0]), ZeroAblation("maps", [1])),
        (ZeroAblation("maps", [0]), ZeroAblation("out", [0])),
        (Scale("maps", [0], factor=2.0), ZeroAblation("maps", [0])),
        (ZeroAblation("maps", positions=[(0, 0)]), ZeroAblation("maps", positions=[(1, 0)])),
        (
            SetSpot("maps", [0], spot=(0, 0), value=1.0, rest="untouched"),
            SetSpot("maps", [0], spot=(1, 1), value=2.0, rest="untouched"),
        ),
        (ZeroAblation("maps", frames=[0]), ZeroAblation("maps", frames=[1])),
    ],
)
def test_what_does_not_contradict_may_go_together(first, second):
    network = Maps()
    with applied(network, first, second):
        network(MANY)


def test_latents_everywhere_are_latents_at_every_position():
    spliced = SpliceLatent("maps", autoencoder=TinySae(), latents=[0, 2], scale=0.5)
    edited = EditLatents("maps", autoencoder=TinySae(), edit=Scale("maps", [0, 2], factor=0.5))
    torch.testing.assert_close(edited.replaced(MANY), spliced.replaced(MANY))
    some = EditLatents("maps", autoencoder=TinySae(), edit=Scale("maps", [0], factor=0.5, frames=[1]))
    assert some.depends_on_rows
    network = Maps()
    with applied(network, some):
        changed = network(MANY)
    assert (changed != network(MANY)).any(dim=1).nonzero().tolist() == [[1]]


def test_an_autoencoder_is_stored_by_its_hash():
    one = SpliceLatent("maps", autoencoder=TinySae(), latents=[0], scale=0)
    stored = one.to_config()
    assert "autoencoder" not in stored
    other = TinySae()
    with torch.no_grad():
        other.decoder.mul_(2)
    with pytest.raises(ValueError, match="which was stored; given one with"):
        Intervention.from_config(stored, autoencoder=other)
    with pytest.raises(ValueError, match=r"what no config holds: \['autoencoder'\]"):
        Intervention.from_config(stored)

    class Plain:
        def encode(self, x):
            return x

        def decode(self, x):
            return x

    with pytest.raises(ValueError, match="weights_hash"):
        SpliceLatent("maps", autoencoder=Plain(), scale=0)


# -- Controls --

STATISTICS = channel_statistics(
    np.random.default_rng(1).normal(size=(50, 6, 2, 3))
    * np.array([1, 5, 1.1, 4.5, 0, 30]).reshape(1, 6, 1, 1)
)


def controls(one):
    return {
        control.name: control.intervention for control in one.controls(STATISTICS, np.random.default_rng(0))
    }


def test_controls_of_channels():
    found = controls(ZeroAblation("maps", [1]))
    assert found["channel of like norm"] == ZeroAblation("maps", [3])
    assert found["random channel"].channels[0] in (0, 2, 5), (
        "not itself, not the matched one, not a silent one"
    )
    two = controls(MeanAblation.of(STATISTICS, "maps", [0, 1]))
    assert two["channels of like norm"] == MeanAblation.of(STATISTICS, "maps", [2, 3])
    assert controls(ZeroAblation("maps")) == {}
    assert controls(ZeroAblation("maps", [0, 1, 2, 3])) == {}, "too few others"
    with pytest.raises(ValueError, match="from 0 to 5"):
        controls(ZeroAblation("maps", [6]))


def test_controls_of_steering():
    one = Steer("maps", vector=np.random.default_rng(5).normal(size=(6, 2, 3)), strength=3.0)
    found = controls(one)
    torch.testing.assert_close(
        found["sign flipped"].replaced(torch.zeros(1, 6, 2, 3)), -one.replaced(torch.zeros(1, 6, 2, 3))
    )
    noise = found["noise of equal norm"]
    assert noise.norm == pytest.approx(one.norm, rel=1e-5)
    assert not np.allclose(noise.vector.array, one.vector.array)
    np.testing.assert_allclose(
        np.linalg.norm(noise.vector.array, axis=0), np.linalg.norm(one.vector.array, axis=0), rtol=1e-5
    )


def test_controls_of_the_other_kinds():
    spot = controls(SetSpot("maps", [0], spot=(0, 0), value=3.0, map_size=(2, 3)))
    assert spot["other spot"].spot != (0, 0)
    assert spot["channel of like norm"].channels == (2,)
    shift = controls(ShiftMap("maps", [0], down=1))
    assert shift["opposite shift"] == ShiftMap("maps", [0], down=-1)
    patch = controls(Patch("maps", [0], values=np.arange(6.0).reshape(1, 2, 3)))["the same numbers shuffled"]
    assert sorted(patch.values.array.reshape(-1)) == list(range(6))
    assert list(patch.values.array.reshape(-1)) != list(range(6))
    erase = controls(Erase.directions("maps", [1.0, 0, 0, 0, 0, 0]))["random directions"]
    assert erase.rank == 1
    np.testing.assert_allclose(erase.read.array.T @ erase.into.array, np.eye(1), atol=1e-6)
    sae = TinySae()
    latents = SpliceLatent("maps", [0, 1], autoencoder=sae, latents=[2], add=1.0)
    assert controls(latents)["random latents"].latents[0] in (0, 1)
    assert controls(latents)["sign flipped"].add == -1.0
    edit = SetSpot("maps", [1], spot=(0, 0), value=3.0, map_size=(2, 3))
    assert controls(EditLatents("maps", autoencoder=sae, edit=edit)) == {}, "nothing is known of the latents"
    among = controls(EditLatents("maps", autoencoder=sae, edit=edit, latent_statistics=STATISTICS))
    assert among["latent of like norm"].edit.channels == (3,)
    assert among["other spot"].edit.spot != (0, 0)
    assert among["other spot"].autoencoder is sae


def test_the_difference_of_two_sets_of_frames_is_a_steering_vector():
    network = Maps()
    vector = mean_difference(network, MANY[2:], MANY[:2], "maps")
    torch.testing.assert_close(torch.from_numpy(vector), torch.full((2, 2, 3), 12.0))
