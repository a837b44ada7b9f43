"""PPO: train a policy by reinforcement, with Stable-Baselines3's algorithm around a network of this project.

`config.py` says what a run is made of, `algorithm.py` puts it together from `policy.py`, `rollouts.py`, `rewards.py`
and `episodes.py`, `run_files.py` keeps it on disk and `training.py` runs it.
"""
