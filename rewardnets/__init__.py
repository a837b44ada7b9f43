"""Networks trained on a reward function: their data, their training, what fools them (the dissertation's Chapter 5)."""
