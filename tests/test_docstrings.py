"""Every example in a docstring runs and prints the result that stands below it."""

import doctest
import importlib
from pathlib import Path

import pytest

import infoplane

SOURCE = Path(infoplane.__file__).parent
"""The folder of the package."""


def modules_with_examples() -> list[str]:
    """Return the names of all modules that hold an example; the others need not be imported."""
    files = sorted(path for path in SOURCE.rglob("*.py") if ">>>" in path.read_text(encoding="utf-8"))
    parts = [("infoplane", *path.relative_to(SOURCE).with_suffix("").parts) for path in files]
    return [".".join(part for part in name if part != "__init__") for name in parts]


def examples_of(module: str) -> list[doctest.DocTest]:
    """Return the examples of one module, those of imported names left out."""
    found = doctest.DocTestFinder().find(importlib.import_module(module))
    return [example for example in found if example.examples]


@pytest.mark.parametrize("module", modules_with_examples())
def test_examples_print_what_the_docstring_shows(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = examples_of(module)
    assert examples, f"{module} holds the characters >>> and no example"
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    for example in examples:
        runner.run(example, out=report.append)
    assert not runner.failures, "".join(report)


def test_a_wrong_result_in_an_example_is_found():
    example = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    runner = doctest.DocTestRunner()
    runner.run(example, out=lambda _: None)
    assert runner.failures == 1
