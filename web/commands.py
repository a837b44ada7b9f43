"""The command `sae site`: a static web site about every latent of a sparse autoencoder.

Nothing heavy is imported before a command is called: `procscope --help` imports this file for the docstrings.
"""

from pathlib import Path


def site(
    sae: str,
    out: Path,
    cache: str = "",
    latents: Path | None = None,
    atlas: Path | None = None,
    model: str = "",
    workers: int = 2,
) -> None:
    """Write a web site about every latent of an autoencoder, to be opened from disk.

    Open OUT/index.html in a browser; no server is needed, nothing is loaded from elsewhere, and the folder can be
    moved, zipped and sent. It shows what `procscope analyze sae` measured, with the frames of its cache:

        procscope analyze sae --cache caches/maze --hook fc --width 2048          # trains and measures
        procscope sae site --sae runs/sae/.../sae/sae.safetensors --out site

    An autoencoder that was not measured yet is measured here, if a cache is named (with --keep-frames, or there are no
    pictures; a network that is installed, or no effects on actions):

        procscope sae site --sae sae/fc/sae.safetensors --cache caches/maze --out site

    The measurements are then kept in OUT.latents.safetensors, beside the site. A site that is at --out already is
    replaced when the new one is finished; any other folder is left alone.

    Args:
        sae: a name or the path of its file.
        out: folder of the site.
        cache: directory or URL of the cache; by default the one that was measured on.
        latents: file of the measurements; by default latents.safetensors beside the autoencoder or in its run's folder.
        atlas: folder of an atlas of the same latents, whose pictures are then shown too.
        model: name or path of the network; by default the installed one with the cache's hash.
        workers: threads that encode pictures.
    """
    from procscope.web.features.inputs import open_inputs
    from procscope.web.features.site import require_replaceable, write_site
    from procscope.workbench.parallel import one_thread

    require_replaceable(out.resolve())
    with one_thread():
        inputs = open_inputs(
            sae,
            cache=cache,
            latents=latents,
            model=model,
            atlas=atlas,
            keep=out.with_name(f"{out.resolve().name}.latents.safetensors"),
            progress=True,
            say=print,
        )
    page = write_site(inputs, out, workers=workers, progress=True)
    for part, reason in inputs.missing.items():
        print(f"not shown, {part}: {reason}")
    print(page)
