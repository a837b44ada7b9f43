"""What is installed: one top-level package, with every folder and file of the checkout that belongs in it."""

import ast
import json
import re
import resource
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]
NOT_INSTALLED = {"benchmarks", "tests", "docs", "typings"}


def checked_out() -> list[str]:
    """Files that git knows or would add, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def package_folders() -> set[str]:
    """Folders that hold an `__init__.py`, such as `agents/experts`."""
    folders = {str(Path(name).parent) for name in checked_out() if Path(name).name == "__init__.py"}
    return {folder for folder in folders if folder.split("/")[0] not in NOT_INSTALLED}


def dotted(folder: str) -> str:
    return "procscope." + folder.replace("/", ".")


def test_every_folder_is_in_every_list_of_packages():
    packages = {dotted(folder) for folder in package_folders()}
    assert {"procscope.workbench", "procscope.agents.experts", "procscope.zoo"} <= packages
    assert set(SETUPTOOLS["packages"]) == packages
    assert SETUPTOOLS["package-dir"] == {dotted(folder): folder for folder in package_folders()}
    top = {package for package in packages if package.count(".") == 1}
    assert set(PROJECT["tool"]["importlinter"]["root_packages"]) == top
    layers, engine = PROJECT["tool"]["importlinter"]["contracts"]
    assert set(layers["layers"]) == top
    assert set(engine["source_modules"]) == top - {"procscope.envs"}
    checked = {dotted(folder) for folder in PROJECT["tool"]["pyright"]["include"]}
    assert checked - {"procscope.benchmarks"} == top


def test_every_folder_with_code_is_a_package():
    with_code = {str(Path(name).parent) for name in checked_out() if name.endswith(".py") and "/" in name}
    assert {folder for folder in with_code if folder.split("/")[0] not in NOT_INSTALLED} == package_folders()
    assert not (ROOT / "__init__.py").exists(), "procscope is a namespace package"


def test_only_the_engines_wrapper_touches_the_engine():
    """The import contract cannot tell `envs/engine.py` from the other files of `envs/`; this does."""
    top = {folder.split("/")[0] for folder in package_folders()}
    sources = [name for name in checked_out() if name.endswith(".py") and name.split("/")[0] in top]
    touches = re.compile(r"^\s*(from|import)\s+(procgen|gym3)\b", re.MULTILINE)
    found = {name for name in sources if touches.search((ROOT / name).read_text())}
    assert found == {"envs/engine.py"}


def test_every_dependency_is_pinned():
    """What a fresh set-up installs is what was tested."""
    wanted = PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["dev"]
    named = {re.split(r"[<>=!~\[; ]", line)[0].lower().replace("_", "-") for line in wanted}
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in pins if "==" in line}
    # pip and setuptools come with Python or before the constraints are read.
    assert named - pinned - {"setuptools", "wheel"} == set()
    assert all(re.fullmatch(r"[\w.-]+==[\w.+-]+", line) for line in pins if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The `bin` of an environment that holds procscope's wheel and nothing else.

    The wheel is built from a copy of the files that git knows, so that what lies about in the checkout neither gets
    into it nor makes up for what is missing.
    """
    place = tmp_path_factory.mktemp("packaging")
    source = place / "source"
    for name in checked_out():
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    offline = ["--no-deps", "--no-index"]
    build = [*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", str(place), str(source)]
    subprocess.run(build, check=True)
    (wheel,) = place.glob("*.whl")
    venv.create(place / "empty", with_pip=False)
    python = place / "empty" / "bin" / "python"
    into = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--quiet"]
    subprocess.run([*into, "install", *offline, str(wheel)], check=True)
    return python.parent


def ask(installed: Path, program: str):
    """What a program prints as JSON in the empty environment, away from the checkout."""
    command = [str(installed / "python"), "-I", "-c", program]
    done = subprocess.run(command, cwd=installed, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_procscope_is_the_only_top_level_package(installed):
    folders = ask(
        installed,
        "import json, sysconfig, pathlib\n"
        "site = pathlib.Path(sysconfig.get_path('purelib'))\n"
        "print(json.dumps(sorted(path.name for path in site.iterdir())))",
    )
    version = PROJECT["project"]["version"]
    assert folders == ["procscope", f"procscope-{version}.dist-info"]


def test_every_sub_package_and_data_file_came_along(installed):
    files = ask(
        installed,
        "import json\nfrom importlib.metadata import files\n"
        "print(json.dumps([str(file) for file in files('procscope')]))",
    )
    came = {name.removeprefix("procscope/") for name in files if name.startswith("procscope/")}
    came = {name for name in came if "__pycache__" not in name}
    folders = package_folders()
    top = {folder.split("/")[0] for folder in folders}
    wanted = {name for name in checked_out() if name.split("/")[0] in top}
    assert came == wanted
    assert {"zoo/__init__.py", "workbench/report.html.j2", "experiments/published.toml"} <= came
    weights = {name for name in wanted if name.endswith(".safetensors")}
    assert weights == {name for name in came if name.startswith("zoo/") and name.endswith(".safetensors")}
    films = {name for name in came if name.endswith(".gif")}
    assert {name.replace(".gif", ".safetensors") for name in films} <= weights
    assert "zoo/maze-easy-topright.gif" in films, "cards of policies show them"


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_answer_in_under_a_second_without_any_dependency(installed, option):
    """Processor time, which on a machine that does nothing else is the time that one waits; the best of up to five."""
    seconds = []
    while len(seconds) < 5 and min(seconds, default=1.0) >= 1.0:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [str(installed / "procscope"), option], cwd=installed, capture_output=True, text=True, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 1.0
    if option == "--version":
        assert done.stdout == f"procscope {PROJECT['project']['version']}\n"
    else:
        assert "not available" not in done.stdout
        for command in PROJECT["project"]["entry-points"]["procscope.commands"]:
            assert f"  {command.replace('.', ' ')} " in done.stdout


def test_every_entry_point_leads_somewhere(installed):
    """Checked in the files that were installed, since importing most of them takes the dependencies."""
    groups = PROJECT["project"]["entry-points"]
    site = ask(installed, "import json, sysconfig\nprint(json.dumps(sysconfig.get_path('purelib')))")
    for group, members in groups.items():
        for name, value in members.items():
            module, attribute = value.split(":")
            file = Path(site) / (module.replace(".", "/") + ".py")
            assert file.exists(), f"{group}: {name} = {value}"
            defined = {
                getattr(node, "name", None) or getattr(target, "id", None)
                for node in ast.parse(file.read_text()).body
                for target in getattr(node, "targets", [getattr(node, "target", None)])
            }
            assert attribute in defined, f"{group}: {name} = {value}"
