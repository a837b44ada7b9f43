"""Long work made of members: each result a small file, kept as soon as it is there, reused by the next run.

A sweep over seeds, rows or settings is a list of member configs. Each result is written to
`<directory>/<key>.json`, where the key is a hash of the config, in one atomic step. So an interrupted sweep
goes on where it stopped, a larger scale reuses the members of a smaller one, and two processes can share a
directory (at worst both compute one member and write the same file). A config must therefore hold everything
that the result depends on: the weights' hash, the seed, the number of levels; put a `version` in it and raise
that when the computation changes.

    sweep = members(record.directory / "members")
    for config in configs:
        row = sweep.get_or_compute(config, train_one)
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from procscope.workbench.atomic import write_json_atomically
from procscope.workbench.configs import canonical_json

Config = TypeVar("Config")


class Members:
    """Results of the members of one piece of work, by config.

    Args:
        directory: holds the files; made when the first result is written.
        finished: further directories to read from, such as results kept in the repository; never written.
    """

    def __init__(self, directory: Path, finished: tuple[Path, ...] = ()) -> None:
        self.directory = directory
        self.finished = finished

    def get_or_compute(self, config: Config, function: Callable[[Config], Any]) -> Any:
        """The kept result for `config`, or `function(config)`, which is then kept.

        The result must be what JSON holds (dict, list, text, finite numbers, truth values, None); it comes
        back as read from the file, also the first time, so that fresh and kept results cannot differ.
        """
        if config not in self:
            self.put(config, function(config))
        return self.get(config)

    def get(self, config: Any) -> Any:
        """The kept result. Raises KeyError: there is none. Raises ValueError: the file is damaged."""
        path = self._path(config)
        if path is None:
            raise KeyError(f"no result yet for {canonical_json(config)} in {self.directory}")
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            same = canonical_json(kept["config"]) == canonical_json(config)
            result = kept["result"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(
                f"expected a member's config and result in {path}, found neither ({error}). "
                "Delete the file; the member is computed again"
            ) from error
        if not same:
            raise ValueError(f"{path} holds another member's config: {kept['config']}. Delete the file")
        return result

    def put(self, config: Any, result: Any) -> None:
        """Keep `result`. Raises ValueError: JSON cannot hold it; nothing is written."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / f"{member_key(config)}.json"
        write_json_atomically(path, {"config": json.loads(canonical_json(config)), "result": result})

    def __contains__(self, config: Any) -> bool:
        return self._path(config) is not None

    def pending(self, configs: list[Config]) -> list[Config]:
        """Those of `configs` that have no result yet, in their order: what is left to do."""
        return [config for config in configs if config not in self]

    def _path(self, config: Any) -> Path | None:
        name = f"{member_key(config)}.json"
        return next(
            (place / name for place in (self.directory, *self.finished) if (place / name).is_file()), None
        )


def members(directory: Path, finished: tuple[Path, ...] = ()) -> Members:
    """The members kept in `directory`; see `Members`."""
    return Members(directory, finished)


def member_key(config: Any) -> str:
    """24 hexadecimal digits that name a config: SHA-256 of its canonical JSON."""
    return hashlib.sha256(canonical_json(config).encode()).hexdigest()[:24]
