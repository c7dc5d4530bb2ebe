"""What several files of tests do: run a command of the program in this process."""

import contextlib
import io
import sys

import pytest

from infoplane import cli


def infoplane(*arguments):
    """Exit code, standard output and standard error of a command, run in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["infoplane", *map(str, arguments)])
        patch.setattr(sys, "path", [*sys.path])  # commands that import a user's module put its folder there
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as end:
            cli.main()
    return end.value.code or 0, out.getvalue(), err.getvalue()
