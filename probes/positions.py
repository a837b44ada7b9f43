"""Where is it? One linear probe for all positions of a map, "is it here?", whose loudest position is the answer.

When to use: for a thing that the network may mark where it lies, as a convolution does, rather than say its place in
numbers: the same few weights are used at every position, so that nothing can be learned by heart about places.

    codes = position_codes(labels["goal_row"], labels["goal_col"], (8, 8), center)      # -1 out of the picture
    found = locate(features, {"cheese": codes}, (8, 8), levels, fold)
    found.scores["cheese"].value("accuracy")        # the loudest position is the right one; guessing: the commonest one

`center` says where in its square of the picture a position looks; of a map whose squares were averaged,
`averaged_center` does.

Source: position-wise probes of a Sokoban agent, Bush et al. 2025 (arXiv:2504.01871), section 3.
Cost: two passes over frames x positions of as many numbers as there are channels.

Axes: `frame`, `position` of the map row by row, `sample` frame x position.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int, Real

from procscope.probes.features import Features
from procscope.probes.future import FrameOrder
from procscope.probes.least_squares import ALPHAS, LeastSquares, class_logs
from procscope.probes.levels import Levels
from procscope.probes.ridge import fit_ridge, held_out_values
from procscope.probes.scores import place_score


def position_codes(
    row: Real[np.ndarray, " frame"],
    col: Real[np.ndarray, " frame"],
    positions: tuple[int, int],
    center: float = 0.5,
) -> Int[np.ndarray, " frame"]:
    """Which position of a map looks at each pixel (row, col) of a picture; -1 for pixels out of the picture."""
    order = FrameOrder(np.arange(len(row)), np.zeros(len(row), np.int64), positions=positions, center=center)
    here = order.here(np.asarray(row, float)[:, None], np.asarray(col, float)[:, None])
    flat = here.reshape(len(row), -1)
    return np.where(flat.any(axis=1), flat.argmax(axis=1), -1)


def averaged_center(center: float, times: int) -> float:
    """Where a square of `times` x `times` positions looks in its own unit, if a position looks at `center` of its."""
    return (center + (times - 1) / 2) / times


def locate(
    features: Features,
    codes: Mapping[str, Int[np.ndarray, " frame"]],
    positions: tuple[int, int],
    levels: Levels,
    fold: Int[np.ndarray, " frame"],
    alphas: Sequence[float] = ALPHAS,
) -> LeastSquares:
    """Fit and judge a probe of each thing's place.

    Args:
        features: each position a sample. codes: the position of each thing, frame by frame. levels, fold: of frames.

    Raises ValueError: another number of samples than frames x positions; a thing that is nowhere in some frame.
    """
    n, each = len(fold), int(np.prod(positions))
    if features.samples_per_frame != each:
        raise ValueError(
            f"expected features of each of {each} positions; these have {features.samples_per_frame} samples a frame"
        )
    for name, code in codes.items():
        if len(code) != n or code.min(initial=0) < 0 or code.max(initial=0) >= each:
            raise ValueError(
                f"expected a position from 0 to {each - 1} of {name!r} in each of {n} frames; given {len(code)} from "
                f"{code.min(initial=0)} to {code.max(initial=0)}. Leave out frames in which it is not in the picture"
            )
    wanted = np.stack([(code[:, None] == np.arange(each)).reshape(-1) for code in codes.values()], axis=1)
    of_sample = np.repeat(fold, each)
    fit = fit_ridge(features.batches(), wanted.astype(np.float64), of_sample, alphas)
    values = held_out_values(features.batches(), fit, np.arange(len(codes)), of_sample)
    scores = {}
    for i, (name, code) in enumerate(codes.items()):
        shares = np.stack(
            [np.bincount(code[fold != part], minlength=each) + 1.0 for part in range(fold.max() + 1)]
        )
        guess = np.log(shares / shares.sum(axis=1, keepdims=True))[fold]
        scores[name] = place_score(code, class_logs(values[:, i].reshape(n, each)), guess, levels)
    return LeastSquares(fit, {name: slice(i, i + 1) for i, name in enumerate(codes)}, scores)
