"""The report of `visualize-heist`: what was asked, sheets of pictures, the measures by method."""

import re
from collections.abc import Mapping

import pandas as pd

from procscope.experiments.visualize_heist_numbers import HeistNumbers
from procscope.visualization.atlas.build import Atlas
from procscope.visualization.atlas.page import write_atlas
from procscope.visualization.atlas.sheet import plot_sheet
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.runs import RunRecord

_SHOWN = 6
"""Units on a sheet."""
_KINDS = {"raw": "channels", "sae": "latents of the autoencoder"}


def write_report(
    record: RunRecord, model: LoadedModel, atlases: Mapping[str, Atlas], numbers: HeistNumbers
) -> None:
    """Prose, a sheet and a page for each kind of unit, and a table."""
    raw, file_name = atlases["raw"], re.sub(r"[^A-Za-z0-9_-]+", "-", model.name)
    record.say(
        f"What was done with {model.name}",
        f"Pictures of {len(raw.units)} channels of {raw.hook_point} and of {len(atlases['sae'].units)} latents of a "
        "sparse autoencoder of it, drawn at random among those that vary on data: by gradient in the environment's "
        "colours and in plain ones, for the whole map and for its middle, and the frames and patches that excite most.",
    )
    rows = [
        {"units": kind, **row._asdict(), "matches": row.matches and row.matches.value}
        for kind, of_kind in numbers.summaries.items()
        for row in of_kind
    ]
    record.table(f"measures_{file_name}", pd.DataFrame(rows), "Trust measures by kind of unit and method.")
    for kind, atlas in atlases.items():
        record.figure(
            f"{file_name}_{kind}",
            plot_sheet(atlas, atlas.units[:_SHOWN], pictures=3),
            f"{_KINDS[kind].capitalize()} of {atlas.hook_point}: the first {min(_SHOWN, len(atlas.units))} drawn.",
        )
        write_atlas(atlas, record.directory / "atlas" / f"{file_name}-{kind}")
