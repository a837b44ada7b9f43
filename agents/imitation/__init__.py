"""Imitation: train a policy to do what an expert does.

`config.py` says what a run is made of, `trainer.py` runs it, `samples.py` what it learns from, and for each game a
source makes that: `maze_source.py` from shortest paths, `search_source.py` from plans of the engine search.
"""
