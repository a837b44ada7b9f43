"""What a training and its measurements say, as numbers, tables, figures and prose of a run record.

When to use: `analysis.py` and the experiments do. Metrics have the ids `sae/<quantity>` and are told apart by model,
hook_point, kind, width, k and seed, and, where there are several, by arm or read.
"""

from typing import Any, NamedTuple

import numpy as np
import torch

from procscope.activations.cache import ActivationCache
from procscope.interventions.named_arms import UNTOUCHED
from procscope.saes.figures import (
    plot_arms,
    plot_cosines,
    plot_firing_rates,
    plot_meanings,
    plot_top_frames,
)
from procscope.saes.latents import LatentMeasurements
from procscope.saes.metrics import dead_latents, firing_rate_histogram
from procscope.saes.result import SaeResult
from procscope.saes.sae import TrainedSae, maps_of, samples_of
from procscope.saes.spliced import MEAN, SPLICED, ZERO
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.runs import RunRecord

SHOWN = 8
"""Latents whose top frames are drawn."""


class LatentRow(NamedTuple):
    """A latent in the table."""

    latent: int
    firing_rate: float
    maximum: float
    statement: str
    precision: float | None
    recall: float | None
    f1: float | None
    nearest: int
    nearest_cosine: float
    strongest_action: int | None
    """The action that it changes most, by its number."""
    effect: float | None
    """By so much."""


def where_of(trained: TrainedSae) -> dict[str, Any]:
    """What tells this autoencoder's numbers from others'."""
    config = trained.header.training.get("config", {})
    return {
        "model": trained.model or trained.model_hash[:12],
        "hook_point": trained.hook_point,
        "kind": config.get("kind", trained.sae.activation),
        "width": trained.sae.n_latents,
        "k": config.get("k", trained.sae.k),
        "seed": config.get("seed", 0),
    }


def report_sae(
    record: RunRecord,
    cache: ActivationCache,
    result: SaeResult,
    model: LoadedModel | None,
    prefix: str = "",
) -> None:
    """Put everything into the record; `prefix` tells figures and tables of several autoencoders apart."""
    record_numbers(record, result)
    if model is not None:
        training = " ".join(model.header.variant) or "unedited levels"
        record.network(model.name, model.weights_hash, training)
    survey = result.latents.survey
    dead = dead_latents(survey.firings, survey.n_samples)
    title = f"{result.trained.name}: " if prefix else ""
    record.say(f"{title}What was asked", _asked(result))
    record.say(f"{title}What was found", _found(result, dead.share))
    rates = firing_rate_histogram(survey.firing_rate)
    figure = plot_firing_rates(rates, survey.n_samples)
    record.figure(f"{prefix}firing_rates", figure, "How often latents fire.")
    figure = plot_cosines(result.latents.nearest.cosines[:, 0], survey.firings > 0)
    record.figure(f"{prefix}nearest_latents", figure, "How alike decoder directions are, two by two.")
    _show_task(record, result, prefix)
    _show_meanings(record, result.latents, prefix)
    _show_latents(record, cache, result, prefix)


def record_numbers(record: RunRecord, result: SaeResult) -> None:
    """All metrics of one autoencoder, without prose and figures."""
    where = where_of(result.trained)
    survey = result.latents.survey
    dead = dead_latents(survey.firings, survey.n_samples)
    score = result.reconstruction
    record.metric("sae/fvu", score.fvu, where, n=score.n_samples)
    record.metric("sae/explained_variance", score.explained_variance, where, n=score.n_samples)
    record.metric("sae/l0", score.l0, where, n=score.n_samples, unit="latents")
    record.metric("sae/dead_share", dead.share, where, n=dead.survey_samples)
    record.metric("sae/live", dead.live, where, n=dead.survey_samples, unit="latents")
    live = survey.firings > 0
    cosines = result.latents.nearest.cosines[:, 0]
    if live.any():
        record.metric("sae/nearest_cosine", float(cosines[live].mean()), where, n=int(live.sum()))
    _task_metrics(record, result, where)
    _meaning_metrics(record, result.latents, where)
    for name, reason in result.missing.items():
        record.undefined_metric(f"sae/{name.replace(' ', '_')}", where, reason)


def _task_metrics(record: RunRecord, result: SaeResult, where: dict[str, Any]) -> None:
    if (frames := result.on_frames) is not None:
        for arm in (SPLICED, ZERO, MEAN):
            record.metric("sae/action_kl", frames.kl[arm], where | {"arm": arm}, unit="nats")
            record.metric("sae/agreement", frames.agreement[arm], where | {"arm": arm})
        for ablated in (ZERO, MEAN):
            _recovered(record, "sae/kl_recovered", frames.kl_recovered, where, ablated, frames.n_frames)
    if (play := result.in_play) is not None:
        for arm in (UNTOUCHED, SPLICED, ZERO, MEAN):
            record.metric("sae/success", play.success(arm), where | {"arm": arm})
            record.metric("sae/return", play.mean_return(arm), where | {"arm": arm}, unit="reward")
        record.metric("sae/success_change", play.change(SPLICED), where)
        for ablated in (ZERO, MEAN):
            _recovered(record, "sae/return_recovered", play.return_recovered, where, ablated, play.n_levels)


def _recovered(record: RunRecord, id: str, of: Any, where: dict[str, Any], ablated: str, n: int) -> None:
    place = where | {"against": ablated}
    try:
        record.metric(id, of(ablated), place, n=n)
    except ValueError as error:
        record.undefined_metric(id, place, str(error))


def _meaning_metrics(record: RunRecord, latents: LatentMeasurements, where: dict[str, Any]) -> None:
    found = latents.meanings
    if found is None:
        return
    for read, units in (("latents", found.latents), ("units", found.units)):
        if (units.label >= 0).any():
            record.metric(
                "sae/median_best_lift",
                units.median_lift(),
                where | {"read": read},
                n=int((units.label >= 0).sum()),
            )
    scores = (("latents", found.latent_f1), ("units", found.unit_f1), ("probes", found.probe_f1))
    for read, values in scores:
        record.metric("sae/statement_f1", float(values.mean()), where | {"read": read}, n=len(values))
        for statement, value, n in zip(found.statements, values.tolist(), found.n_samples, strict=True):
            record.metric("sae/f1", value, where | {"read": read, "statement": statement}, n=int(n))


def _asked(result: SaeResult) -> str:
    trained, survey = result.trained, result.latents.survey
    config = trained.header.training.get("config", {})
    how = ", ".join(
        f"{name} {config[name]}" for name in ("kind", "k", "samples", "batch_size", "seed") if name in config
    )
    return (
        f"A sparse autoencoder of {trained.sae.n_latents} latents for the {trained.sae.n_inputs} inputs of "
        f"`{trained.hook_point}` of {trained.model or 'the cached network'} ({how or trained.sae.activation}), "
        f"measured on the {survey.n_frames:,} frames of the cache `{result.latents.cache}`.\n\n"
        "fvu is the squared error over the squared distance from the mean of all samples, l0 the mean number of "
        "latents above 0, dead what is never above 0 on the survey named, and what the reconstruction recovers is "
        "counted from the hook point ablated (0) to the network untouched (1)."
    )


def _found(result: SaeResult, dead_share: float) -> str:
    score, survey = result.reconstruction, result.latents.survey
    lines = [
        f"- fvu {score.fvu:.4f} at l0 {score.l0:.1f} on {score.n_samples:,} samples; {dead_share:.1%} of latents are "
        f"dead on a survey of {survey.n_samples:,} samples."
    ]
    if (frames := result.on_frames) is not None:
        lines.append(
            f"- On {frames.n_frames} frames the action KL is {frames.kl[SPLICED].value:.4f} nats with the "
            f"reconstruction, {frames.kl[MEAN].value:.4f} with the mean; the most probable action stays in "
            f"{frames.agreement[SPLICED].value:.1%}."
        )
    if (play := result.in_play) is not None:
        lines.append(
            f"- In {play.n_levels} unseen levels the goal is reached in {play.success(UNTOUCHED).value:.1%} untouched, "
            f"{play.success(SPLICED).value:.1%} with the reconstruction, {play.success(MEAN).value:.1%} with the mean, "
            f"{play.success(ZERO).value:.1%} with zeros."
        )
    if (found := result.latents.meanings) is not None:
        lines.append(
            f"- Over {len(found.statements)} statements the best latent has f1 {found.latent_f1.mean():.2f} on "
            f"average, the best unit {found.unit_f1.mean():.2f}, a linear probe {found.probe_f1.mean():.2f}. Of what "
            f"could be gained over saying its statement always, the median latent gains "
            f"{found.latents.median_lift():.2f}, the median unit {found.units.median_lift():.2f}."
        )
    return "\n".join(lines)


def _show_task(record: RunRecord, result: SaeResult, prefix: str) -> None:
    if result.on_frames is not None:
        figure = plot_arms(result.on_frames.kl, "action KL (nats)", "What single choices lose")
        record.figure(
            f"{prefix}action_kl", figure, "Divergence from the untouched network's action distribution."
        )
    if (play := result.in_play) is not None:
        returns = {arm: play.mean_return(arm) for arm in (UNTOUCHED, SPLICED, MEAN, ZERO)}
        figure = plot_arms(returns, "mean return", f"{play.n_levels} unseen levels")
        record.figure(
            f"{prefix}returns", figure, "Whole episodes, the same levels and action noise in every arm."
        )


def _show_meanings(record: RunRecord, latents: LatentMeasurements, prefix: str) -> None:
    if (found := latents.meanings) is None:
        return
    scores = {"probe": found.probe_f1, "best unit": found.unit_f1, "best latent": found.latent_f1}
    always = 2 * found.shares / (1 + found.shares)
    caption = (
        "How well one latent, one unit of the network, and a linear probe of all units say a statement. Chosen on half "
        "of the levels, judged on the other."
    )
    record.figure(f"{prefix}statements", plot_meanings(found.statements, scores, always), caption)


def _show_latents(record: RunRecord, cache: ActivationCache, result: SaeResult, prefix: str) -> None:
    latents = result.latents
    order = np.argsort(-latents.survey.firing_rate, kind="stable")
    rows = [latent_row(latents, int(latent)) for latent in order if latents.survey.firings[latent] > 0]
    record.table(f"{prefix}latents", rows, "Live latents, the most frequent first.")
    if "frames" not in cache.spec.arrays or not rows:
        return
    best = (
        sorted((row for row in rows if row.f1 is not None), key=lambda row: -(row.f1 or 0))[:SHOWN]
        or rows[:SHOWN]
    )
    chosen = [row.latent for row in best]
    frames = np.maximum(latents.survey.top_frames[chosen, :6], 0)
    unique, place = np.unique(frames, return_inverse=True)
    place = place.reshape(frames.shape)
    pictures = np.asarray(cache.frames.oindex[unique])[place]
    heat = None
    activation = torch.from_numpy(np.asarray(cache.activations(latents.hook_point).oindex[unique]))
    if activation.ndim == 4:
        sae = result.trained.sae
        with torch.inference_mode():
            encoded = sae.encode(samples_of(activation.float()).to(sae.b_enc.device)).cpu()
        maps = maps_of(encoded, tuple(activation.shape[2:])).numpy()
        heat = np.stack([maps[place[i], latent] for i, latent in enumerate(chosen)])
    titles = [f"{row.latent}: {row.statement}" if row.statement else str(row.latent) for row in best]
    record.figure(
        f"{prefix}top_frames",
        plot_top_frames(pictures, heat, titles),
        "Frames of highest activation, one an episode, of the latents that say their statement best.",
    )


def latent_row(latents: LatentMeasurements, latent: int) -> LatentRow:
    """One latent's line of the table."""
    best = latents.best_label(latent)
    action = effect = None
    if latents.effects is not None and np.isfinite(mean := latents.effects.mean[latent]).all():
        action = int(np.abs(mean).argmax())
        effect = float(mean[action])
    return LatentRow(
        latent,
        float(latents.survey.firing_rate[latent]),
        float(latents.survey.maximum[latent]),
        "" if best is None else best.statement,
        *((None, None, None) if best is None else (best.precision, best.recall, best.f1)),
        int(latents.nearest.indices[latent, 0]),
        float(latents.nearest.cosines[latent, 0]),
        action,
        effect,
    )
