"""Damaged state buffers through the validator: none ends the tests' process, and what passes, the engine plays.

One to three words of live states are overwritten, anywhere but in the generators' texts nine times out of ten. What the
validator lets through goes to the engine in a child process, is stepped 50 times, and played on after a reset.
"""

import numpy as np
import pytest
from engine_child import EngineChild
from strategies import FLOATS, INTEGERS, played_states

from procscope.envs.games import GAMES
from procscope.envs.state import EngineState
from procscope.envs.state.checks import checked
from procscope.envs.state.offsets import locate

STEPS = 50
MODES = ("easy", "hard")


def _words_of_fields(raw: bytes) -> np.ndarray:
    """Offsets of all words outside of the generators' texts, and some of those within."""
    at = locate(raw)
    spans = [
        (0, at.level_generator + 8),
        (at.content_generator, at.content_generator + 8),
        (at.episode, at.asset_generator + 8),
        (at.view, len(raw)),
    ]
    cells = np.arange(at.cells, at.tail, 4)
    fields = np.concatenate([np.arange(start, end - 3, 4) for start, end in spans])
    fields = fields[(fields < at.cells) | (fields >= at.tail)]
    # Cells are many: as often as a tenth of the fields.
    return np.concatenate([np.tile(fields, max(1, 10 * len(cells) // (len(fields) * 9))), cells])


def _mutate(raw: bytes, words: np.ndarray, rng: np.random.Generator) -> bytes:
    damaged = bytearray(raw)
    for _ in range(rng.integers(1, 4)):
        anywhere = rng.random() < 0.1
        at = int(rng.integers(0, len(raw) - 4)) if anywhere else int(words[rng.integers(len(words))])
        kind = rng.random()
        if kind < 0.3:
            word = rng.bytes(4)
        elif kind < 0.65:
            word = int(rng.choice(INTEGERS)).to_bytes(4, "little", signed=True)
        else:
            word = np.float32(rng.choice(FLOATS)).tobytes()
        damaged[at : at + 4] = word
    return bytes(damaged)


def _mutations(game: str, count: int) -> None:
    rng = np.random.default_rng(0)
    outcomes = {"refused": 0, "played": 0}
    for mode in MODES:
        child = EngineChild(game, mode)
        states = [(raw, _words_of_fields(raw)) for raw in played_states(game, mode)]
        try:
            for number in range(count // len(MODES)):
                raw, words = states[number % len(states)]
                damaged = _mutate(raw, words, rng)
                try:
                    accepted = checked(EngineState.parse(damaged))
                except ValueError:
                    outcomes["refused"] += 1
                    continue
                child.play(accepted, rng.integers(0, 15, STEPS).tolist())
                outcomes["played"] += 1
        finally:
            child.close()
    assert min(outcomes.values()) > count / 20, outcomes


@pytest.mark.parametrize("game", GAMES)
def test_damaged_states_are_refused_or_played(game: str) -> None:
    _mutations(game, 150)


@pytest.mark.slow
@pytest.mark.parametrize("game", GAMES)
def test_a_hundred_thousand_damaged_states_are_refused_or_played(game: str) -> None:
    _mutations(game, 100_000 // len(GAMES) + 2)
