"""CoinRun levels against the engine's generator, written again in Python: cells, entities, sections, look.

What the level editor reads out of the engine is compared with what the published generator says must be there, draw by
draw of its mt19937.
"""

import numpy as np
import pytest

from procscope.envs.coinrun import CoinRunLevel
from procscope.envs.coinrun.cells import BARRIER, COIN, LAVA, LAVA_TOP, OPEN, WALL, WALL_TOP

W = 64


class Draws:
    """The engine's `RandGen`."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.MT19937()
        self._bits._legacy_seeding(seed)  # type: ignore[attr-defined]

    def randn(self, n: int) -> int:
        return int(self._bits.random_raw()) % n

    def rand01(self) -> float:
        return float(np.float32(int(self._bits.random_raw()) / 2**32))


class Generated:
    """`CoinRun::game_reset` of `coinrun.cpp`."""

    def __init__(self, seed: int, hard: bool) -> None:
        self.draws = draws = Draws(seed)
        self.cells = np.full((W, W), OPEN)
        self.entities: list[tuple] = []
        self.starts: list[tuple[int, int]] = []
        self.offset, self.background = draws.rand01(), draws.randn(62)
        draws.rand01()
        draws.rand01()  # a place for the agent, not used
        self.agent_theme = self.wall_theme = 0
        if hard:
            self.agent_theme, self.wall_theme = draws.randn(5), draws.randn(6)
        else:
            self.background = 0
        self.fill(0, 0, W, 1, WALL_TOP)
        self.fill(0, 0, 1, W, WALL)
        self.fill(W - 1, 0, 1, W, WALL)
        self.fill(0, W - 1, W, 1, WALL)
        self.sections(hard)

    def fill(self, x: int, y: int, dx: int, dy: int, cell: int) -> None:
        self.cells[y : y + dy, x : x + dx] = cell

    def block(self, x: int, y: int, dx: int, dy: int, cell: int = WALL, top: int = WALL_TOP) -> None:
        self.fill(x, y, dx, dy - 1, cell)
        self.fill(x, y + dy - 1, dx, 1, top)

    def enemy(self, x: int, y: int) -> None:
        vx = 0.15 * (self.draws.randn(2) * 2 - 1)
        self.entities.append(("enemy", x + 0.5, y + 0.5, vx, self.draws.randn(9)))

    def sections(self, hard: bool) -> None:
        randn = self.draws.randn
        dif = randn(3) + 1
        count = randn(dif) + dif
        x, y = 5, 1
        danger = randn(3)
        for _ in range(count):
            if x + 15 >= W:
                break
            dy = min(randn(4) + 1 + dif // 3, 5)
            if y >= 20 or (y >= 5 and randn(2) == 1):
                dy *= -1
            dx = randn(2 * dif) + 3 + dif // 3
            y = max(y + dy, 1)
            self.starts.append((x, y))
            if dx > 7 and y > 3 and randn(20) >= dif:
                x1, x2 = randn(3) + 1, randn(3) + 1
                pit = dx - x1 - x2
                if pit > 7:
                    pit, x2 = 7, dx - x1 - 7
                self.block(x, 0, x1, y)
                self.block(x + dx - x2, 0, x2, y)
                depth = randn(y - 3) + 1
                if danger == 0:
                    self.block(x + x1, 1, pit, depth, LAVA, LAVA_TOP)
                for place in range(pit if danger else 0):
                    if danger == 1:
                        self.entities.append(("saw", x + x1 + place + 0.5, 1.5, 0, 0))
                    else:
                        self.enemy(x + x1 + place, 1)
                if pit > 4:
                    if pit < 7:
                        x3, w1 = pit - 4 + randn(2), 1 + randn(2)
                    else:
                        x3 = 2 + randn(2)
                        w1 = pit - x3 - (2 + randn(2))
                    self.block(x + x1 + x3, y - 1, w1, 1)
            else:
                self.block(x, 0, dx, y)
                taken = []
                if randn(10) < 2 * dif and dx > 3:
                    taken.append(x + randn(dx - 2) + 1)
                    self.entities.append(("saw", taken[-1] + 0.5, y + 0.5, 0, 0))
                if randn(10) < dif and dx > 3 and hard:
                    taken.append(x + randn(dx - 2) + 1)
                    self.enemy(taken[-1], y)
                for _ in range(2):
                    crate = x + randn(dx - 2) + 1
                    if randn(2) == 1 and crate not in taken:
                        for height in range(randn(3) + 1):
                            self.entities.append(("crate", crate + 0.5, y + height + 0.5, 0, randn(4)))
            if self.cells[y, x - 1] not in (WALL, WALL_TOP):
                self.cells[y, x - 1] = BARRIER
            x += dx
            self.cells[y, x] = BARRIER
        self.cells[y, x] = COIN
        self.block(x, 0, 1, y)
        self.fill(x + 1, 0, W - x - 1, W, WALL)
        self.starts.append((x, y))


def _entities(level: CoinRunLevel) -> list[tuple]:
    names = {2: "saw", 5: "enemy", 20: "crate"}
    return [
        (names[int(e["type"])], float(e["x"]), float(e["y"]), round(float(e["vx"]), 6), int(e["image_theme"]))
        for e in level.entities[1:]
    ]


@pytest.mark.parametrize("mode", ["easy", "hard"])
def test_levels_are_those_of_the_published_generator(mode: str) -> None:
    for level in CoinRunLevel.from_seeds(range(300), mode):
        assert level.level_seed is not None
        wanted = Generated(level.level_seed, mode == "hard")
        np.testing.assert_array_equal(level.cells, wanted.cells)
        assert _entities(level) == [(*e[:3], round(e[3], 6), e[4]) for e in wanted.entities]
        assert (level.background, level.wall_theme) == (wanted.background, wanted.wall_theme)
        assert level.entities["image_theme"][0] == wanted.agent_theme
        assert level.background_offset == pytest.approx(wanted.offset, abs=1e-7)
        assert level.section_boundaries() == tuple(wanted.starts)
        assert level.end_cell() == level.coin == wanted.starts[-1]
