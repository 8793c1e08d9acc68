"""The command `tickwire`.

Exit codes: 0 ok, 1 failed, 2 usage, 70 the supervisor gave up, 130 broken off by Ctrl-C. A mistake of the user's is
one line on stderr that names it and the remedy, never a traceback. Heavy modules are imported by the command that
needs them, so that `--help` and `version` are quick.
"""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `arguments` (the process' own if None) and return the exit code."""
    from typer import TyperException
    from typer.main import get_command

    from tickwire.runtime.cli.problems import CommandFailed
    from tickwire.runtime.cli.root import application

    command = get_command(application())
    try:
        code = command.main(
            list(sys.argv[1:] if arguments is None else arguments), prog_name="tickwire", standalone_mode=False
        )
    except CommandFailed as error:
        print(error, file=sys.stderr)
        return error.code
    except TyperException as error:  # the command line itself: an unknown flag, a missing argument
        said = error.format_message().strip().rstrip(".")
        if said:  # else the help that stands for a missing command was printed already
            print(f"tickwire: {said}; see tickwire --help", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has gone (`tickwire … | head`)
        sys.stdout = None  # nothing is left to flush at exit
        return 1
    return code if isinstance(code, int) else 0
