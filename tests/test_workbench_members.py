"""Members of long work: kept one by one, reused, told apart by their configs; and configs as JSON and back."""

import enum
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from procscope.workbench.configs import canonical_json, plain, restored
from procscope.workbench.members import member_key, members


class Arm(enum.Enum):
    ZERO = "zero"
    MEAN = "mean"


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1
    seeds: range = range(3, 9, 2)


@dataclass(frozen=True)
class Outer:
    levels: int = 4
    names: tuple[str, ...] = ("a", "b")
    size: int | None = None
    arm: Arm = Arm.ZERO
    scale: Literal["smoke", "small"] = "small"
    path: Path = Path("x/y")
    inner: Inner = Inner()
    pairs: tuple[tuple[int, float], ...] = ((1, 0.5),)
    table: dict[str, int] | None = None


outers = st.builds(
    Outer,
    levels=st.integers(),
    names=st.lists(st.text()).map(tuple),
    size=st.none() | st.integers(),
    arm=st.sampled_from(Arm),
    inner=st.builds(Inner, rate=st.floats(allow_nan=False, allow_infinity=False)),
    pairs=st.lists(st.tuples(st.integers(), st.floats(0, 1))).map(tuple),
    table=st.none() | st.dictionaries(st.text(), st.integers()),
)


@given(outers)
def test_a_config_comes_back_from_json(config):
    assert restored(Outer, json.loads(json.dumps(plain(config)))) == config


@given(outers, outers)
def test_equal_configs_and_only_those_share_a_key(first, second):
    same = canonical_json(first) == canonical_json(second)
    assert (member_key(first) == member_key(second)) == same
    assert first == second or not same


def test_a_changed_config_class_is_told():
    stored = plain(Outer())
    del stored["levels"]
    with pytest.raises(ValueError, match=r"unknown fields \['depth'\], missing fields \['levels'\]"):
        restored(Outer, stored | {"depth": 1})
    with pytest.raises(ValueError, match="expected one of"):
        restored(Outer, plain(Outer()) | {"scale": "huge"})


@pytest.mark.parametrize("value", [object(), {1: 2}, {"a": {3: 4}}, np.zeros(2), {"a": lambda: 0}])
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises(ValueError, match="expected"):
        canonical_json(value)


def test_nan_in_a_config_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"rate": float("nan")})


def test_a_member_is_computed_once(tmp_path):
    calls = []

    def work(config):
        calls.append(config)
        return {"loss": 0.1 + config.levels, "curve": (1, 2.5)}

    sweep = members(tmp_path / "members")
    configs = [Outer(levels=levels) for levels in (1, 2)]
    first = [sweep.get_or_compute(config, work) for config in configs]
    assert first[0] == {"loss": 1.1, "curve": [1, 2.5]}
    assert [members(tmp_path / "members").get_or_compute(config, work) for config in configs] == first
    assert calls == configs
    assert sweep.pending([*configs, Outer(levels=3)]) == [Outer(levels=3)]


def test_a_failing_member_leaves_no_file_and_the_others_stay(tmp_path):
    sweep = members(tmp_path / "members")
    sweep.put({"seed": 0}, 1.5)

    def fail(config):
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError):
        sweep.get_or_compute({"seed": 1}, fail)
    with pytest.raises(ValueError, match="JSON"):
        sweep.put({"seed": 1}, float("nan"))
    assert len(list((tmp_path / "members").iterdir())) == 1
    assert sweep.get({"seed": 0}) == 1.5
    with pytest.raises(KeyError):
        sweep.get({"seed": 1})


def test_results_kept_elsewhere_are_read_and_never_written(tmp_path):
    members(tmp_path / "kept").put({"seed": 0}, "old")
    sweep = members(tmp_path / "new", finished=(tmp_path / "kept",))
    assert sweep.get_or_compute({"seed": 0}, lambda config: "new") == "old"
    assert sweep.get_or_compute({"seed": 1}, lambda config: "new") == "new"
    assert len(list((tmp_path / "kept").iterdir())) == len(list((tmp_path / "new").iterdir())) == 1


def test_a_damaged_file_is_told(tmp_path):
    sweep = members(tmp_path)
    sweep.put({"seed": 0}, 1)
    (path,) = tmp_path.iterdir()
    path.write_text("{")
    with pytest.raises(ValueError, match="Delete the file"):
        sweep.get({"seed": 0})
    sweep.put({"seed": 0}, 1)
    path.write_text(json.dumps({"config": {"seed": 7}, "result": 1}))
    with pytest.raises(ValueError, match="another member's config"):
        sweep.get({"seed": 0})


def test_a_key_stays_the_same_from_version_to_version():
    assert member_key(replace(Outer(), path=Path("a"))) == member_key(plain(Outer(path=Path("a"))))
    assert member_key({"b": 1, "a": [1.5, "x"]}) == "27edd5497e48a29375074939"
