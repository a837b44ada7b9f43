"""DQN: learn action values of Ms. Pac-Man, the Atari game and the toy, with Stable-Baselines3's algorithm.

`config.py` says what a run is made of, `trainer.py` puts it together from `algorithm.py` and `replay.py`,
`replay_files.py` keeps what it learns from on disk and `training.py` runs it; `play.py` measures a network's score.
"""
