"""A sparse autoencoder's card: what it is, how much it keeps, what its latents say. All numbers are measured.

`sae_shipping.py` calls it with what it measured; nothing here measures anything.
"""

from dataclasses import fields

import numpy as np

from procscope.activations.cache import ActivationCache
from procscope.interventions.named_arms import UNTOUCHED
from procscope.saes.config import SaeConfig
from procscope.saes.metrics import dead_latents
from procscope.saes.monosemanticity import Meanings
from procscope.saes.result import SaeResult
from procscope.saes.spliced import MEAN, SPLICED, ZERO, SplicedFrames, SplicedPlay
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.statistics import Interval
from procscope.zoo.curves import chosen_lines

_STATEMENTS = 12
"""Of those that latents were compared with, so many are on the card."""

_ARMS = {
    UNTOUCHED: "untouched",
    SPLICED: "the reconstruction alone",
    MEAN: "its mean in its place",
    ZERO: "zeros in its place",
}


def sae_card_text(
    name: str, header: CheckpointHeader, cache: ActivationCache, result: SaeResult, summary: str, curve: str
) -> str:
    """The card as Markdown."""
    training = header.training
    config, options = training["config"], header.options
    environment = cache.source["environment"]
    levels = " ".join(environment["variants"]) or "unedited"
    survey = result.latents.survey
    dead = dead_latents(survey.firings, survey.n_samples)
    kind = config["kind"] + (
        f", k {config['k']}" if config["kind"] != "l1" else f", weight {config['l1_weight']:g}"
    )
    commands = "\n".join([build_command(cache, training["model"]), train_command(name, header)])
    looks = f"{environment['game']}, mode {environment['mode']}"
    return f"""# {name}

{summary}

| | |
|---|---|
| autoencoder | {kind}; {options["n_latents"]} latents of {options["n_inputs"]} inputs, normalisation included |
| reads | hook point `{training["hook_point"]}` of `{training["model"]}` (weights {training["model_hash"][:12]}) |
| learned from | {training["samples"]:,} samples, {training["passes"]:.1f} passes over {_frames(training)} |
| seed | {config["seed"]} |
| weights | float16, read as float32 |

`procscope.saes.sae.load_sae("{name}")` loads it; every command that takes `--sae` takes its name.

## What it keeps

On {len(cache):,} frames of {looks}, levels {levels}, as the network plays them.
Numbers as `saes/metrics.py` defines them.

| | |
|---|---|
| variance unexplained (fvu) | {result.reconstruction.fvu:.4f} of {result.reconstruction.n_samples:,} samples |
| latents active a sample (l0) | {result.reconstruction.l0:.1f} |
| dead latents | {dead.n_dead} of {dead.width}, silent in all of {dead.survey_samples:,} samples |

{_task(result)}

## What its latents say

{_meanings(result.latents.meanings, result.missing.get("meanings", ""))}

## Training

```
{commands}
```

The same commands on the same kind of machine give the same weights. `{name}.curve.csv` has a line for every 50 steps.

| samples | fvu | l0 | silent of late |
|---|---|---|---|
{chr(10).join(_curve_rows(curve))}

## Limits

It knows the activations that this network has on levels like those of its cache. A statement that a latent says is the
best of those that were asked, judged on levels that it was not chosen on; it need not be all that the latent means.
"""


def train_command(name: str, header: CheckpointHeader) -> str:
    """The command that trains it again on the cache of the command before."""
    training = header.training
    config, usual = training["config"], SaeConfig()
    words = [
        f"procscope sae train --cache {_place(training['model'])} --hook {training['hook_point']}",
        f"--out training/{name}",
        f"--kind {config['kind']} --width {config['width']} --k {config['k']} --samples {config['samples']}",
    ]
    for field in fields(SaeConfig):
        value = config[field.name]
        if field.name in ("kind", "width", "k", "samples") or value == getattr(usual, field.name):
            continue
        option = f"--{field.name.replace('_', '-')}"
        words.append(option if value is True else f"{option} {value:g}")
    return " ".join(words)


def build_command(cache: ActivationCache, model: str) -> str:
    """The command that makes the cache again. Raises ValueError: something else than the network's own rollouts."""
    source = cache.source
    sampling, environment, actor = source["sampling"], source["environment"], source["actor"]
    own = actor.get("weights_hash") == source["model"]["weights_hash"]
    if sampling["kind"] != "rollouts" or not own or actor["greedy"] or actor["noise"]:
        raise ValueError(
            f"expected a cache of the network's own rollouts with sampled actions, as it plays; {cache.path} holds "
            f"{sampling['kind']} of the actor {actor['name']}. Build one: procscope cache build --model {model} "
            "--keep-frames"
        )
    words = [
        f"procscope cache build --model {model} --hooks {' '.join(cache.hook_points)} --frames {len(cache)}",
        f"--keep-frames --num-envs {sampling['num_envs']} --seed {source['seed']} --out {_place(model)}",
    ]
    if environment["variants"]:
        words.insert(1, f"--variant {' '.join(environment['variants'])}")
    return " ".join(words)


def _place(model: str) -> str:
    return f"caches/{model}"


def _frames(training: dict[str, object]) -> str:
    cache = training["cache"]
    assert isinstance(cache, dict)
    return f"a cache of {cache['n_frames']:,} frames"


def _task(result: SaeResult) -> str:
    """What the network does with the reconstruction: on frames, and in play."""
    frames, play = result.on_frames, result.in_play
    rows = [
        f"| {title} | {_on_frames(frames, arm)} | {_in_play(play, arm)} |" for arm, title in _ARMS.items()
    ]
    said = [
        "| at the hook point | action KL, nats | same action | goal reached |",
        "|---|---|---|---|",
        *rows,
        "",
    ]
    if frames is not None:
        said.append(f"KL and actions on {frames.n_frames:,} frames, each of another level.")
    if play is not None:
        said.append(
            f"Goals in {play.n_levels:,} unseen levels with sampled actions, the same levels and the same chances in "
            f"every row; 95% intervals. Success with the reconstruction less that of the untouched network: "
            f"{_points(play.change(SPLICED))}. Of the return that the mean costs, the reconstruction keeps "
            f"{_kept(play)}."
        )
    return "\n".join(said)


def _on_frames(frames: SplicedFrames | None, arm: str) -> str:
    if arm == UNTOUCHED:
        return "0 | 100%"
    if frames is None:
        return "not measured | "
    return f"{frames.kl[arm].value:.3f} | {100 * frames.agreement[arm].value:.1f}%"


def _in_play(play: SplicedPlay | None, arm: str) -> str:
    if play is None:
        return "not measured"
    found = play.success(arm)
    return f"{100 * found.value:.1f}% [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _points(found: Interval) -> str:
    return f"{100 * found.value:+.1f} points [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"


def _kept(play: SplicedPlay) -> str:
    try:
        return f"{100 * play.return_recovered():.1f}%"
    except ValueError:
        return "no share that could be told, since the mean costs nothing"


def _meanings(found: Meanings | None, reason: str) -> str:
    if found is None:
        return f"Not measured: {reason}"
    order = np.argsort(-found.latent_f1, kind="stable")[:_STATEMENTS]
    rows = [
        f"| `{found.statements[i]}` | {100 * found.shares[i]:.1f}% | {found.best_latent[i]} | "
        f"{found.latent_f1[i]:.2f} | {found.unit_f1[i]:.2f} | {found.probe_f1[i]:.2f} |"
        for i in order.tolist()
    ]
    return "\n".join(
        [
            f"The {len(rows)} statements that single latents say best, of {len(found.statements)}. F1 of the best "
            "latent, of the best",
            "single unit or channel, and of a linear probe of all of them, chosen on half of the levels and judged on "
            "the other.",
            "",
            "| statement | true of | latent | f1 | best unit | probe |",
            "|---|---|---|---|---|---|",
            *rows,
        ]
    )


def _curve_rows(curve: str) -> list[str]:
    return [
        f"| {int(line['frames']):,} | {float(line['fvu']):.4f} | {float(line['l0']):.1f} | {line['dead']} |"
        for line in chosen_lines(curve, 8)
    ]
