"""Write a site: the page, its data, and the pictures, all of it or nothing.

    write_site(open_inputs("sae/fc/sae.safetensors"), Path("site"))

When to use: `procscope sae site` does. The site is made in a folder beside the target and takes its place when it is
finished; a folder that is not a site is never replaced. The same inputs give the same bytes.

Cost: `benchmarks/feature_site.py`. On disk about 110 kB a latent with frames of 64 x 64 pixels.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tqdm import tqdm

from procscope.web.features.attribution import attribution_maps
from procscope.web.features.heat import HeatMaps
from procscope.web.features.inputs import SiteInputs
from procscope.web.features.latent_maps import latent_maps
from procscope.web.features.latent_record import LatentRecords
from procscope.web.features.latent_table import latent_table
from procscope.web.features.overview import LATENTS_A_SHEET, overview
from procscope.web.features.scripts import script, write_script
from procscope.web.features.sheets import thumbnails, write_sheet
from procscope.web.features.shown_frames import ShownFrames, read_frames, shown_frames
from procscope.workbench.parallel import one_thread

FORMAT = "procscope feature site"
MARK = "site.json"
PAGE = Path(__file__).parent / "page"
_FRAMES_FILE = "frames.npy"


def write_site(inputs: SiteInputs, out: Path, *, workers: int = 1, progress: bool = False) -> Path:
    """Make a site, in place of one that is there already, and give the path of its page.

    Args:
        out: folder of the site; new, empty, or of an earlier site.
        workers: threads that encode pictures.
        progress: show bars.

    Raises ValueError: `out` holds something else; a cache or an autoencoder that was changed since it was measured.
    """
    out = out.resolve()
    require_replaceable(out)
    if workers < 1:
        raise ValueError(f"expected at least 1 worker; given {workers}")
    with one_thread(), _new_folder(out) as folder:
        shown = shown_frames(inputs.latents.survey)
        heat = latent_maps(inputs, shown, progress=progress)
        missing = dict(inputs.missing)
        pictures = None
        if inputs.has_frames:
            pictures = read_frames(inputs.cache, shown.rows, folder / _FRAMES_FILE, progress=progress)
            if heat is None:
                heat = _attribution(inputs, shown, missing, progress)
        _write_page(folder)
        build = _write_overview(folder, inputs, missing, heat, pictures)
        _write_latents(folder, inputs, shown, heat, pictures, build, workers, progress)
        if pictures is not None:
            _write_thumbnails(folder, shown, pictures)
            del pictures
            (folder / _FRAMES_FILE).unlink()
        mark = {
            "format": FORMAT,
            "build": build,
            "sae": inputs.trained.name,
            "n_latents": inputs.latents.n_latents,
        }
        (folder / MARK).write_text(json.dumps(mark, indent=2) + "\n", encoding="utf-8")
    return out / "index.html"


def require_replaceable(out: Path) -> None:
    """Raises ValueError: there is something that is no site and would be lost."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        mark = json.loads((out / MARK).read_text(encoding="utf-8"))
        is_site = mark.get("format") == FORMAT
    except (OSError, ValueError, AttributeError):
        is_site = False
    if not is_site:
        raise ValueError(
            f"expected a new folder for the site, an empty one, or an earlier site to replace; {out} is something "
            "else, and is left as it is. Choose another --out"
        )


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A folder that takes the place of `out` when the block ends well, and is gone otherwise."""
    out.parent.mkdir(parents=True, exist_ok=True)
    name = f".{out.name}.{uuid.uuid4().hex}"
    folder, before = out.with_name(f"{name}.writing"), out.with_name(f"{name}.before")
    folder.mkdir()
    try:
        yield folder
        require_replaceable(out)
        if out.exists():
            os.replace(out, before)
        os.replace(folder, out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if before.exists() and not out.exists():
            os.replace(before, out)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _attribution(
    inputs: SiteInputs, shown: ShownFrames, missing: dict[str, str], progress: bool
) -> HeatMaps | None:
    try:
        return attribution_maps(inputs, shown, progress=progress)
    except ValueError as error:
        missing["heat maps"] = str(error)
        return None


def _write_page(folder: Path) -> None:
    shutil.copyfile(PAGE / "index.html", folder / "index.html")
    shutil.copytree(PAGE, folder / "page", ignore=shutil.ignore_patterns("index.html", "__pycache__"))


def _write_overview(
    folder: Path,
    inputs: SiteInputs,
    missing: dict[str, str],
    heat: HeatMaps | None,
    pictures: np.ndarray | None,
) -> str:
    """Data of the first page. Returns what tells this build from others, for files that are loaded later."""
    (folder / "data").mkdir()
    about = overview(inputs, missing, heat, None if pictures is None else pictures.shape[1:3])
    table = script("receiveTable", latent_table(inputs.latents))
    build = hashlib.sha256((script("receiveOverview", about) + table).encode()).hexdigest()[:16]
    write_script(folder / "data" / "overview.js", "receiveOverview", {"build": build, **about})
    (folder / "data" / "table.js").write_text(table, encoding="ascii")
    return build


def _write_latents(
    folder: Path,
    inputs: SiteInputs,
    shown: ShownFrames,
    heat: HeatMaps | None,
    pictures: np.ndarray | None,
    build: str,
    workers: int,
    progress: bool,
) -> None:
    (folder / "latents").mkdir()
    records = LatentRecords(inputs, shown, heat)

    def write(latent: int) -> None:
        record = {"build": build, **records.of(latent)}
        write_script(folder / "latents" / f"{latent}.js", "receiveLatent", record)
        rows = shown.pair_row[shown.of(latent)]
        if pictures is not None and len(rows):
            write_sheet(folder / "latents" / f"{latent}.webp", pictures[rows])

    n_latents = inputs.latents.n_latents
    with ThreadPoolExecutor(workers) as pool:
        done = pool.map(write, range(n_latents))
        for _ in tqdm(done, total=n_latents, desc="pages", unit="latent", disable=None if progress else True):
            pass


def _write_thumbnails(folder: Path, shown: ShownFrames, pictures: np.ndarray) -> None:
    """The top frame of each latent; black for a dead one."""
    (folder / "thumbnails").mkdir()
    lively = shown.starts[:-1] < shown.starts[1:]
    rows = shown.pair_row[np.minimum(shown.starts[:-1], len(shown.pair_row) - 1)]
    for sheet, at in enumerate(range(0, len(rows), LATENTS_A_SHEET)):
        part = slice(at, at + LATENTS_A_SHEET)
        frames = np.where(lively[part, None, None, None], pictures[rows[part]], np.uint8(0))
        write_sheet(folder / "thumbnails" / f"{sheet}.webp", thumbnails(frames))
