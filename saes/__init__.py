"""Sparse autoencoders on cached activations: training, measures, sweeps, and latents as handles.

The files follow the data: `samples.py` streams a cache, `normalisation.py` measures it, `trainer.py` and `learners.py`
train (`fused_top_k.py` is their fast step), `sae.py` is what comes out, `lens_format.py` exchanges it with sae-lens.
`metrics.py` defines every number; `reconstruction.py`, `survey.py`, `monosemanticity.py`, `effects.py` and `spliced.py`
measure them, `measure.py` all of them. `sweep.py` varies width, k and seed.

What pages of latents are made from:

    trained = load_sae("sae.safetensors")                    # saes/sae.py: TrainedSae(sae, hook_point, model, ...)
    latents = LatentMeasurements.load("latents.safetensors") # saes/latents.py; `measure_latents` makes one
    latents.survey      LatentSurvey: firings, firing_rate, active_frames, maximum, mean_active,
                        histogram [latent, bin], top_frames and top_values [latent, rank], one an episode,
                        quantile_frames and quantile_values [latent, quantile, example], cell_means() [latent, y, x],
                        position_means [latent, row, col]
    latents.nearest     NearestLatents: indices and cosines [latent, rank]
    latents.best_label(7)   BestLabel(statement, precision, recall, f1, lift, threshold), None where it is silent
    latents.effects     LatentEffects: by_frame [latent, example, action] for the first top frames, mean
                        [latent, action]
    latents.missing     why a part is None

Frames are rows of the cache `latents.cache`: `ActivationCache.open(latents.cache).frames.oindex[rows]`. A heat map
over a frame is `maps_of(sae.encode(samples_of(activation)), positions)[frame, latent]`.
"""
