"""Lines of a learning curve for a card's table."""


def chosen_lines(curve: str, most: int) -> list[dict[str, str]]:
    """At most so many lines of a `curve.csv`, evenly spaced, the first and the last among them, by column."""
    titles, *rows = [line.split(",") for line in curve.strip().splitlines()]
    chosen = sorted({round(i * (len(rows) - 1) / max(1, most - 1)) for i in range(most)})
    return [dict(zip(titles, rows[i], strict=True)) for i in chosen]
