"""How much of everything `heist-goals` does at each scale."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Config:
    """Settings of `heist-goals`; the defaults are those of the small scale."""

    models: tuple[str, ...] = ("heist-easy-impala",)
    """Heist networks, by name or path."""
    saes: tuple[str, ...] = ()
    """Files of SAEs of the networks' 16 x 16 maps: their latents are switched off as one more arm."""
    finding_pairs: int = 200
    """Pairs of levels, the key lying there or held, on which probes, directions and channels are found."""
    pairs: int = 60
    """Other pairs, which are edited; half of them choose the best edit."""
    counts: tuple[int, ...] = (1, 2, 4, 8, 16)
    """Numbers of channels ablated or patched together."""
    times: tuple[float, ...] = (1.0, 2.0, 4.0)
    """Strengths of directions."""
    repeats: int = 2
    """Episodes for each pair and arm."""
    max_steps: int = 30
    """Steps of an episode."""
    circuit_pairs: int = 120
    """Minimal pairs of each circuit: half order the channels, half judge."""
    distance_levels: int = 1500
    """Levels on which distances are probed, the agent midway."""
    vector_levels: int = 100
    """Levels on which what each entity adds is measured."""
    eigen_counts: tuple[int, ...] = (1, 2, 4, 8)
    """Directions erased together."""

    def __post_init__(self) -> None:
        if min(self.finding_pairs, self.circuit_pairs) < 8 or self.pairs < 4 or self.distance_levels < 20:
            raise ValueError(
                "expected at least eight pairs to find directions on and eight for circuits, four to edit and "
                f"twenty levels for distances; given {self.finding_pairs}, {self.circuit_pairs}, {self.pairs}, "
                f"{self.distance_levels}"
            )


SCALES = {
    "smoke": replace(
        Config(),
        finding_pairs=24,
        pairs=8,
        counts=(1, 8),
        times=(1.0,),
        repeats=1,
        max_steps=15,
        circuit_pairs=16,
        distance_levels=80,
        vector_levels=12,
        eigen_counts=(1,),
    ),
    "small": Config(),
    "long": replace(Config(), finding_pairs=1000, pairs=400, circuit_pairs=800, distance_levels=8000),
}
