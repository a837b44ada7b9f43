"""The options that benchmarks of a network have in common."""

import argparse


def parser(page: str | None, *, seconds: float, model: str = "maze-easy-topright") -> argparse.ArgumentParser:
    """A parser with the script's docstring as its help, and --seconds and --model."""
    made = argparse.ArgumentParser(description=page, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--seconds", type=float, default=seconds, help="time to measure for")
    made.add_argument("--model", default=model, help="name or path of the network")
    return made
