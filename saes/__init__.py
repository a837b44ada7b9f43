"""Sparse autoencoders on cached activations: training, measures, sweeps, and latents as handles.

The files follow the data: `samples.py` streams a cache, `normalisation.py` measures it, `trainer.py` and `learners.py`
train (`fused_top_k.py` is their fast step), `sae.py` is what comes out, `lens_format.py` exchanges it with sae-lens.
"""
