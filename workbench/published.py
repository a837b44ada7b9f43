"""Published claims: the numbers that papers report, and the rule by which each is judged here.

They stand in `published.toml` beside the experiments, one `[[claims]]` table per claim, written before any
run:

    [[claims]]
    id = "S3.zeroing/found_difference"         # <target>/<quantity>, the id that the metric carries too
    where = { direction = "up", arm = "zero" } # the metric must say the same of these; others are free
    networks = { training = ["cheese-top-right"] } # the claim is about these networks; others are comparisons
    statement = "Zeroing the go-UP channel ..."
    source = "..."                             # where it was published, down to the table
    unit = "share"
    published = 0.122                          # optional: some claims are words only
    rule = { direction = "above", reference = 0.0, margin = 0.03, least_n = 400, least_networks = 3 } # optional

`cells = [{ where = {...}, published = 0.995 }, ...]` in place of `published` makes one claim of each cell of
a table, with the cell's `where` added. `origin = "ours"` marks a control that the paper did not run. Two
claims may share an id if some key of `where` tells them apart.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

from procscope.workbench.verdicts import Direction, Rule

Scalar = str | int | float | bool
Where = dict[str, Scalar]
ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*/[a-z0-9_]+")
_KEYS = {
    "id",
    "where",
    "networks",
    "statement",
    "source",
    "unit",
    "published",
    "cells",
    "rule",
    "note",
    "origin",
}


@dataclass(frozen=True)
class Claim:
    """One claim about one quantity."""

    id: str
    """`<target>/<quantity>`."""

    statement: str
    """What is claimed, in one sentence."""

    source: str
    """Where: author, title, section or table; for `origin="ours"`, why the control is asked for."""

    unit: str
    """Unit of the quantity, the same as the metric's; "1" for a pure number, "share" for 0 to 1."""

    where: Where = field(default_factory=dict)
    """What a metric must say of itself to speak about this claim."""

    networks: dict[str, tuple[Scalar, ...]] = field(default_factory=dict)
    """Values that a metric's `where` must have for the claim to cover its network; no key covers all."""

    published: float | None = None
    """The published value, if a number was published."""

    rule: Rule | None = None
    """How it is judged; None when the number does not transfer between networks, as activations do not."""

    note: str = ""
    """A caution about the published number, or what differs in our measurement."""

    origin: Literal["published", "ours"] = "published"

    @property
    def target(self) -> str:
        return self.id.partition("/")[0]

    def about(self, id: str, where: Mapping[str, Scalar]) -> bool:
        """Whether a metric measures this claim's quantity, on whatever network."""
        return id == self.id and all(key in where and where[key] == self.where[key] for key in self.where)

    def covers(self, where: Mapping[str, Scalar]) -> bool:
        """Whether the claim is about the kind of network that `where` describes."""
        return all(key in where and where[key] in allowed for key, allowed in self.networks.items())


class Claims:
    """All claims of one file, looked up by what a metric says of itself."""

    def __init__(self, claims: list[Claim], name: str = "published.toml") -> None:
        self.claims = claims
        self._by_id: dict[str, list[Claim]] = {}
        for claim in claims:
            of_id = self._by_id.setdefault(claim.id, [])
            for other in of_id:
                if not _disjoint(claim.where, other.where):
                    raise ValueError(
                        f"{name}: two claims called {claim.id} can both speak of one metric: "
                        f"{other.where} and {claim.where}. "
                        "Give them a common key of `where` with different values"
                    )
            of_id.append(claim)

    def __iter__(self) -> Iterator[Claim]:
        return iter(self.claims)

    def __len__(self) -> int:
        return len(self.claims)

    def find(self, id: str, where: Mapping[str, Scalar], unit: str) -> Claim | None:
        """The claim about the metric `id` measured at `where`, or None.

        Raises ValueError: the metric is in another unit than the claim.
        """
        for claim in self._by_id.get(id, []):
            if claim.about(id, where):
                if claim.unit != unit:
                    raise ValueError(
                        f"expected {id} in the unit of the claim, {claim.unit!r}, given {unit!r}. "
                        "Convert the metric, or correct the claim's unit"
                    )
                return claim
        return None


def read_claims(path: Path) -> Claims:
    """Read a claims file.

    Raises ValueError: broken TOML, an unknown or missing key, a bad id or rule; says in which claim.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name}: expected TOML, given {error}") from error
    unknown = set(tables) - {"claims"}
    if unknown:
        raise ValueError(f"{path.name}: expected only [[claims]] tables, given {', '.join(sorted(unknown))}")
    claims: list[Claim] = []
    for index, table in enumerate(tables.get("claims", [])):
        name = f"{path.name}: claim {index + 1} ({table.get('id', 'without id')})"
        claims.extend(_claims_of(table, name))
    return Claims(claims, path.name)


def package_claims(package: str) -> Claims:
    """The claims in `published.toml` of an importable package; no claims when it has no such file."""
    resource = files(package) / "published.toml"
    return read_claims(Path(str(resource))) if resource.is_file() else Claims([])


def _claims_of(table: dict[str, Any], name: str) -> list[Claim]:
    unknown, missing = set(table) - _KEYS, {"id", "statement", "source", "unit"} - set(table)
    if unknown or missing:
        raise ValueError(
            f"{name}: unknown keys {sorted(unknown)}, missing keys {sorted(missing)}. "
            f"Known: {', '.join(sorted(_KEYS))}"
        )
    if not ID_PATTERN.fullmatch(table["id"]):
        raise ValueError(f"{name}: expected an id like S3.zeroing/found_difference, given {table['id']!r}")
    if "cells" in table and "published" in table:
        raise ValueError(f"{name}: expected either `published` or `cells`, given both")
    shared = {
        key: table[key] for key in table if key not in ("cells", "where", "rule", "networks", "published")
    }
    rule = _rule_of(table["rule"], name) if "rule" in table else None
    networks = {key: tuple(values) for key, values in table.get("networks", {}).items()}
    cells = table.get("cells", [{"published": table.get("published")}])
    return [
        Claim(
            **shared,
            where=table.get("where", {}) | cell.get("where", {}),
            networks=networks,
            published=None if cell.get("published") is None else float(cell["published"]),
            rule=rule,
        )
        for cell in cells
    ]


def _rule_of(table: dict[str, Any], name: str) -> Rule:
    known = [entry.name for entry in fields(Rule)]
    if set(table) - set(known) or set(known) - set(table) - {"least_networks"}:
        raise ValueError(f"{name}: expected a rule with {', '.join(known)}, given {', '.join(table)}")
    if table["direction"] not in get_args(Direction):
        raise ValueError(
            f"{name}: expected a rule's direction among {get_args(Direction)}, given {table['direction']!r}"
        )
    exact: dict[str, Any] = {key: float(table[key]) for key in ("reference", "margin")}
    try:
        return Rule(**(table | exact))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _disjoint(first: Where, second: Where) -> bool:
    return any(first[key] != second[key] for key in first.keys() & second.keys())
