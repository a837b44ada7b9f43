"""A forced choice by program: is a picture of the kind of frame that its unit answers to on data?

When to use: beside a synthetic picture. On data the unit is highest, on average, in frames of one class of some label
(the agent moves up, the next thing is a lock, the goal is at the lower left). A classifier, fitted to other activations
of the same frames, must put the picture into one class of that label. Do the two agree?

    choice = ForcedChoice.fitted(features, labels)              # activations of some later layer, and the labels
    preference = choice.preference(values)                      # what the unit says on data
    choice.picks(picture_features, preference.label)            # what the picture is taken for

By chance one in as many as there are classes agree. The label is the one that explains most of the unit's variance
(eta squared), so the question is put where the unit has an answer.

Limits: the classifier is linear and sees a picture that no game shows; where it is no better than guessing on frames
that it was not fitted to (`accuracy` against `guess`), its choice means nothing.

Source: ours, after the forced-choice tests with people of Borowski et al. 2021 (arXiv:2010.12606).
Cost: a linear discriminant a label, 0.1 s for 4,000 frames of 256 numbers.

Axes: `frame`, `feature` activations that the classifier reads, `picture`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

MOST_CLASSES = 8
LEAST_SHARE = 0.02
"""Classes with fewer of the frames are left out, and a label that has no two left."""
_NOT_ABOUT_THE_FRAME = (
    "episode",
    "step",
    "level_seed",
    "variant",
    "action",
    "reward",
    "done",
    "logits",
    "value",
)


class Preference(NamedTuple):
    """What a unit answers to on data."""

    label: str
    value: int
    """The class with the highest mean."""
    eta_squared: float
    """Share of the unit's variance that the classes explain."""


@dataclass(frozen=True, eq=False)
class _Classifier:
    values: Int[np.ndarray, " frame"]
    kept: np.ndarray
    """Frames whose class is frequent enough."""
    model: LinearDiscriminantAnalysis
    accuracy: float
    guess: float


@dataclass(frozen=True, eq=False)
class ForcedChoice:
    """Classifiers of labels, fitted to the frames' activations."""

    classifiers: dict[str, _Classifier]

    @classmethod
    def fitted(
        cls,
        features: Float[np.ndarray, "frame feature"],
        labels: Mapping[str, np.ndarray],
        levels: Int[np.ndarray, " frame"],
    ) -> "ForcedChoice":
        """Fit one classifier for each label; its accuracy is of a third of the levels, which it does not see.

        Raises ValueError: labels of another number of frames, or none that has two classes.
        """
        held_out = levels % 3 == 0
        classifiers = {}
        for name, values in labels.items():
            if len(values) != len(features):
                raise ValueError(
                    f"expected labels of {len(features)} frames, given {len(values)} of {name!r}"
                )
            classes, counts = np.unique(values, return_counts=True)
            kept = np.isin(values, classes[counts >= LEAST_SHARE * len(values)])
            train, test = kept & ~held_out, kept & held_out
            if min(len(np.unique(values[part])) for part in (train, test)) < 2:
                continue
            model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
            model.fit(features[train], values[train])
            accuracy = float((model.predict(features[test]) == values[test]).mean())
            guess = float(np.unique(values[test], return_counts=True)[1].max() / test.sum())
            classifiers[name] = _Classifier(values, kept, model, accuracy, guess)
        if not classifiers:
            raise ValueError(
                f"expected a label with at least two classes of {LEAST_SHARE:.0%} of the frames each; given "
                f"{', '.join(labels) or 'none'}. Take more frames"
            )
        return cls(classifiers)

    def preference(self, values: Float[np.ndarray, " frame"]) -> Preference | None:
        """The label that explains most of a unit's variance, and its highest class; None if the unit never varies.

        Only labels that the classifier tells better than guessing are asked about, as long as there is one.
        """
        told = [name for name, one in self.classifiers.items() if one.accuracy > one.guess]
        found = [self._explained(name, values) for name in told or self.classifiers]
        best = max(found, key=lambda one: one.eta_squared)
        return best if best.eta_squared > 0 else None

    def picks(
        self, features: Float[np.ndarray, "picture feature"], label: str
    ) -> Int[np.ndarray, " picture"]:
        """The class of a label that each picture is taken for."""
        return np.asarray(self.classifiers[label].model.predict(features), dtype=np.int64)

    def n_classes(self, label: str) -> int:
        """Classes to choose from."""
        return len(self.classifiers[label].model.classes_)

    def _explained(self, name: str, values: Float[np.ndarray, " frame"]) -> Preference:
        one = self.classifiers[name]
        values, classes = values[one.kept].astype(np.float64), one.values[one.kept]
        total = ((values - values.mean()) ** 2).sum()
        means = {int(c): float(values[classes == c].mean()) for c in np.unique(classes)}
        between = sum(float((classes == c).sum()) * (mean - values.mean()) ** 2 for c, mean in means.items())
        share = float(between / total) if total > 1e-12 else 0.0
        return Preference(name, max(means, key=lambda c: means[c]), share)


def class_labels(
    columns: Mapping[str, np.ndarray], picture_side: int = 64
) -> dict[str, Int[np.ndarray, " frame"]]:
    """The labels of a cache that have few classes, as whole numbers, and the quarter of the picture that things are in.

    Quarters are 0 upper left, 1 upper right, 2 lower left, 3 lower right, -1 for things out of the picture. Of
    transitions, whose next frames have columns as well, the reward is one of the things to be seen: `rewarded`.
    """
    found = {}
    if "reward" in columns and any(name.startswith("next_") for name in columns):
        found["rewarded"] = (columns["reward"] != 0).astype(np.int64)
    for name, column in columns.items():
        if name in _NOT_ABOUT_THE_FRAME or column.ndim != 1 or column.dtype.kind not in "biu":
            continue
        if name.endswith("_row") and f"{name[:-4]}_col" in columns:
            row, col = column, columns[f"{name[:-4]}_col"]
            quarter = 2 * (row >= picture_side // 2) + (col >= picture_side // 2)
            found[f"{name[:-4]}_quarter"] = np.where((row < 0) | (col < 0), -1, quarter).astype(np.int64)
        elif (
            not name.endswith(("_row", "_col", "_x", "_y", "_cells"))
            and len(np.unique(column)) <= MOST_CLASSES
        ):
            found[name] = column.astype(np.int64)
    return found
