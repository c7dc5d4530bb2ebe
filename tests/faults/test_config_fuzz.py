"""Configurations nobody would write: taken, or refused in one line that names the key; never a traceback."""

import contextlib
import io
import json
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import infoplane as ip
from infoplane import cli
from infoplane.runs import engine
from infoplane.runs.config import Config, _known_keys, parse

KEYS = _known_keys(Config)
STRANGE = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, -1, 10**12, 1e308, -0.0, float("nan"), float("inf"), "", "tanh", "every", "szt"]),
    st.booleans(),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.lists(st.one_of(st.integers(-3, 10**13), st.text(max_size=3), st.lists(st.integers(), max_size=2)), max_size=4),
    st.dictionaries(st.sampled_from(["name", "bins", "k", "n", "x"]), st.integers(-1, 10**12), max_size=3),
)
WRONG = {
    "seed": [-1, 2**32, 1.5, "one", True, [0]],
    "members": [0, -1, 2.5, "many", float("inf"), [5]],
    "group_width": [0, -2, "wide"],
    "memory": [0, -1, "all"],
    "name": ["", "../up", 3, "x" * 81],
    "data.name": ["nothing", 3, ""],
    "data.shuffle_labels": [1, "yes"],
    "model.hidden": [[], [0], [-1], ["ten"], 5, [1.5]],
    "model.activation": ["cosh", 3, ""],
    "model.init": ["zeros", None.__class__.__name__],
    "train.optimizer": ["lion", 1],
    "train.learning_rate": [0, -1.0, float("nan"), float("inf"), "fast"],
    "train.momentum": [1.0, -0.1, float("nan")],
    "train.weight_decay": [-1.0, float("nan"), float("inf")],
    "train.batch_size": [0, -5, "all", 10**12],
    "train.epochs": [0, -1, 1.5, "long"],
    "train.fraction": [0, 1.5, -0.5, float("nan")],
    "train.split": ["half", 2],
    "train.redraw_dead": ["no", 0],
    "schedule.kind": ["sometimes", 4],
    "schedule.points": [1, -1, 10**7, "few"],
    "estimators": [[], "binning", [3], ["nothing"], 7],
}
CASES = [(key, value) for key, values in WRONG.items() for value in values]


class Accepted(Exception):  # noqa: N818 - no error
    """The configuration was taken, and the run was about to begin."""


def refused(tree, folder):
    """The one line that a configuration is refused with; None where it is taken."""
    asked, err = folder / "asked.toml", io.StringIO()
    asked.write_text("".join(f"{key} = {as_toml(value)}\n" for key, value in tree.items()), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["infoplane", "run", "asked.toml", "--out", "run"])
        patch.setattr(engine.Store, "create", lambda *_: take())
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
            try:
                cli.main()
            except Accepted:
                return None
            except SystemExit as end:
                assert end.code == 2
    assert not (folder / "run").exists()
    assert err.getvalue().startswith("infoplane: ")
    assert err.getvalue().count("\n") == 1
    assert "Traceback" not in err.getvalue()
    return err.getvalue()


def take():
    raise Accepted


def as_toml(value):
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {as_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_toml(one) for one in value) + "]"
    if isinstance(value, str):  # an escape of JSON below U+10000 is one of TOML as well
        return (
            '"'
            + "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in value)
            + '"'
        )
    return str(value).lower() if isinstance(value, bool) else repr(value)


@pytest.mark.parametrize("tries", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_any_configuration_is_taken_or_refused_in_one_line(tmp_path_factory, tally, tries):
    counts = {"taken": 0, "refused": 0}
    folder = tmp_path_factory.mktemp("fuzz")

    @settings(
        max_examples=tries, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(
        st.dictionaries(
            st.one_of(st.sampled_from(KEYS), st.sampled_from(["x", "train.epoch"])), STRANGE, min_size=1, max_size=3
        )
    )
    def check(tree):
        keys = sorted(tree)
        tree = {key: tree[key] for key in keys if not any(other.startswith(f"{key}.") for other in keys)}
        line = refused(tree, folder)
        assert line is None or any(key.partition(".")[0].rstrip("s") in line for key in tree), line
        counts["taken" if line is None else "refused"] += 1

    check()
    tally(
        "configurations drawn by hypothesis",
        sum(counts.values()),
        f"0 tracebacks; {counts['refused']} rejected with exit code 2 in one line, "
        f"{counts['taken']} valid configurations accepted",
    )


def test_each_wrong_value_is_refused_with_the_path_of_its_key(tmp_path, tally):
    for key, value in CASES:
        line = refused({key: value}, tmp_path)
        assert line is not None, (key, value)
        assert key in line or (key == "data.name" and "data set" in line) or key == "estimators", (key, value, line)
    tally("a wrong value for each key", len(CASES), f"{len(CASES)} of {len(CASES)} refused with exit code 2, key named")


@pytest.mark.parametrize("key", ["variants", "sweep"])
@pytest.mark.parametrize("value", [[[0, 0]], [0], [[]], [[[], 1]], [["a", 0]]])
def test_lists_that_are_no_variants_and_no_sweep_are_refused_by_their_key(key, value):
    with pytest.raises(ip.ConfigError, match=rf"^{key}"):
        parse({key: value})
