"""What the maze brings along: the entry of `procscope.envs.games`."""

from procscope.envs.games import Game
from procscope.envs.maze.bytes import CHEESE
from procscope.envs.maze.labels import frame_columns, level_facts
from procscope.envs.maze.level import MazeLevel
from procscope.envs.maze.random_edits import RANDOM_EDITS
from procscope.envs.maze.variants import VARIANTS, mouse_anywhere, mouse_at_decision_square
from procscope.envs.state.batch import read_batch
from procscope.envs.state.rules import FREE
from procscope.envs.state.write import write_batch


def without_ending(state: bytes, complete: bool) -> bytes:
    """A maze state that plays on where the given one ends soon, by the cheese (`complete`) or the timeout.

    Without the cheese, which is what the engine does when the mouse eats it just before it draws.
    """
    batch = read_batch([state])
    cells = None
    if complete:
        cells = batch.grids.copy()
        cells[cells == CHEESE] = FREE
    return write_batch(batch, cells=cells, timeout=batch.timeout + 1)[0]


GAME = Game(
    name="maze",
    level_type=MazeLevel,
    variants=VARIANTS,
    placements={"anywhere": mouse_anywhere, "decision-square": mouse_at_decision_square},
    random_edits=RANDOM_EDITS,
    level_facts=level_facts,
    frame_columns=frame_columns,
    without_ending=without_ending,
)
