"""An atlas as a page: one self-contained HTML file a layer, an index of layers, and the same as data.

    write_atlas(atlas, Path("atlas/maze-easy-topright/conv_out"))      # index.html and atlas.json there
    write_index(Path("atlas"))                                         # a page that lists the layers beneath it

Both pages open from disk, follow the reader's light or dark setting, and load nothing. `atlas.json` holds all that the
page shows, for other pages: `{model, weights_hash, hook_point, n_frames, settings, units: [{name, identity,
methods: {method: entry}}]}`, an entry as in `entry.py`, pictures as PNGs in base64.

Cost: pictures of noise take 10 kB each: 32 units by 5 methods make a page of about 4 MB.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from procscope.visualization.atlas.build import Atlas
from procscope.visualization.atlas.settings import DESCRIPTIONS
from procscope.visualization.atlas.summary import summarise_atlas
from procscope.workbench.atomic import write_bytes_atomically

PAGE, DATA = "index.html", "atlas.json"


def write_atlas(atlas: Atlas, directory: Path, command: str = "") -> Path:
    """Write the page and its data, and give the page's path."""
    directory.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(directory / DATA, json.dumps(atlas_data(atlas)).encode())
    write_bytes_atomically(directory / PAGE, render_atlas(atlas, command).encode())
    return directory / PAGE


def render_atlas(atlas: Atlas, command: str = "") -> str:
    """The page as text."""
    return _template("atlas.html.j2").render(
        atlas=atlas,
        summary=summarise_atlas(atlas),
        descriptions=DESCRIPTIONS,
        entries=atlas.entries,
        pairs=next(iter(atlas.entries.values())).pictures[0].is_pair,
        command=command,
    )


def atlas_data(atlas: Atlas) -> dict[str, Any]:
    """What the page shows, as JSON data."""
    return {
        "model": atlas.model,
        "weights_hash": atlas.weights_hash,
        "hook_point": atlas.hook_point,
        "n_frames": atlas.n_frames,
        "settings": asdict(atlas.settings),
        "units": [
            {
                "name": unit,
                "identity": identity,
                "methods": {
                    method: atlas.entries[unit, method].as_json() for method in atlas.settings.methods
                },
            }
            for unit, identity in zip(atlas.units, atlas.identities, strict=True)
        ],
    }


def write_index(directory: Path) -> Path:
    """A page that lists every atlas in folders beneath. Raises FileNotFoundError: there is none."""
    found = []
    for path in sorted(directory.glob(f"**/{DATA}")):
        data = json.loads(path.read_text(encoding="utf-8"))
        found.append(
            {
                "model": data["model"],
                "hook_point": data["hook_point"],
                "n_units": len(data["units"]),
                "methods": data["settings"]["methods"],
                "href": path.with_name(PAGE).relative_to(directory).as_posix(),
            }
        )
    if not found:
        raise FileNotFoundError(f"there is no {DATA} beneath {directory}. Build an atlas there first")
    page = _template("index.html.j2").render(layers=found)
    write_bytes_atomically(directory / PAGE, page.encode())
    return directory / PAGE


def _template(name: str):
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["short"] = _short
    return environment.from_string((Path(__file__).parent / name).read_text(encoding="utf-8"))


def _short(number: float | None) -> str:
    return "–" if number is None else f"{number:.2f}" if abs(number) < 100 else f"{number:.3g}"
