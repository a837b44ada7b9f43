"""Toy Ms. Pac-Man: a 9x9 maze with pellets, a power pellet and a ghost, thousands of games in step.

When: for questions that need many trained agents, where the Atari game takes hours an agent: `board.py` is the maze,
`rules.py` plays a batch of games, `labels.py` says what is true of each frame, `vector.py` has Gymnasium's interface.
"""
