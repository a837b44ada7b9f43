"""The `procscope` command: finds the commands that folders and other packages register, and runs one.

A command is a plain function registered under the entry-point group `procscope.commands`, named by its dotted
path:

    [project.entry-points."procscope.commands"]
    "cache.build" = "procscope.activations.commands:build"      # procscope cache build …

Its options are its parameters: annotations give the types, defaults the defaults, the `Args:` section of its
docstring the help, and parameters before `/` are positional. It prints what it has to say, returns None or an
exit status, and raises ValueError for a user's mistake. A function with the attribute `takes_arguments = True` gets
the list of its arguments as they are, to parse them itself. The module that holds it must import nothing heavy at
its top: `procscope --help` imports them all for their docstrings and answers in a fraction of a second. tyro,
which parses the options, is imported only once a command is invoked.

Exit status: 0 done, 2 a mistake in the command line or its input, 130 interrupted, 1 an error in the program
itself.
"""

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import version

from procscope.workbench import plugins

GROUP = "procscope.commands"
_SUMMARY = "find out what a reinforcement-learning agent has learned"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` asks for: by default the process's own arguments, without its name.

    Returns the exit status. An error that is the program's own fault is raised, so that its traceback is
    seen; `procscope --traceback COMMAND …` shows the traceback of a user's mistake too.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    show_traceback = arguments[:1] == ["--traceback"]
    if show_traceback:
        del arguments[0]
    try:
        status = _dispatch(arguments)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("\ninterrupted; the same command resumes", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError) as error:
        if show_traceback:
            traceback.print_exc()
        print(f"error: {_describe(error)}", file=sys.stderr)
        return 2


def _dispatch(arguments: list[str]) -> int:
    known = plugins.names(GROUP)
    if arguments == ["--version"]:
        print(f"procscope {version('procscope')}")
        return 0
    words = _leading_words(arguments)
    for count in range(len(words), 0, -1):
        if ".".join(words[:count]) in known:
            return _invoke(".".join(words[:count]), arguments[count:])
    group = words[0] if words and any(name.startswith(f"{words[0]}.") for name in known) else None
    asks_for_help = any(argument in ("-h", "--help") for argument in arguments)
    if len(words) == (group is not None) and (asks_for_help or arguments == words):
        print(_listing(known, group), file=sys.stdout if asks_for_help else sys.stderr)
        return 0 if asks_for_help else 2
    if not words:
        raise ValueError(f"expected a command first, given {arguments[0]!r}. See procscope --help")
    given = " ".join(words[: 1 if group is None else 2])
    spoken = [name.replace(".", " ") for name in known]
    advice = plugins.suggest(given, {*spoken, *(name.split()[0] for name in spoken)})
    raise ValueError(f"unknown command {given!r}. {advice}\nSee procscope --help")


def _invoke(name: str, options: list[str]) -> int:
    """Parse `options` by the signature of the command `name` and call it."""
    command = plugins.load(GROUP, name)
    if getattr(command, "takes_arguments", False):
        status = command(options)
        return status if type(status) is int else 0
    import tyro  # costs a tenth of a second, which listing the commands need not pay

    try:
        status = tyro.cli(command, args=options, prog=f"procscope {name.replace('.', ' ')}")
    except SystemExit as end:
        # tyro ends this way after --help (0) and after options that it refuses (2).
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return status if type(status) is int else 0


def _leading_words(arguments: list[str]) -> list[str]:
    """The arguments before the first option."""
    for index, argument in enumerate(arguments):
        if argument.startswith("-"):
            return arguments[:index]
    return arguments


def _listing(known: Sequence[str], group: str | None) -> str:
    """The commands, or those of `group` only, each with the first line of its docstring."""
    shown = [name for name in known if group is None or name.startswith(f"{group}.")]
    single = [name for name in shown if "." not in name]
    grouped = [name for name in shown if "." in name]
    width = max((len(name) for name in shown), default=0) + 2
    lines = [
        f"procscope {version('procscope')}: {_SUMMARY}",
        "",
        f"usage: procscope {f'{group} ' if group else ''}COMMAND [options]",
    ]
    previous = None
    for name in single + grouped:
        heading = name.partition(".")[0] if "." in name else ""
        if heading != previous:
            lines.append("")
        previous = heading
        lines.append(f"  {name.replace('.', ' '):<{width}}{_first_line(name)}".rstrip())
    if not shown:
        lines += ["", "  No commands are installed."]
    return "\n".join([*lines, "", "See `procscope COMMAND --help` for a command's options."])


def _first_line(name: str) -> str:
    """The first line of a command's docstring; a command that cannot be imported says so here."""
    try:
        command: Callable[..., object] = plugins.load(GROUP, name)
    except (ImportError, ValueError) as error:
        return f"(not available: {error})"
    return (inspect.getdoc(command) or "").partition("\n")[0]


def _describe(error: Exception) -> str:
    """An error's message for people: for one of the system's, what went wrong before where."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename is not None else error.strerror
    return str(error) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
