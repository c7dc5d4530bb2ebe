"""Models that run on one number of inputs only: laid out for a batch size, or for all nodes of a graph."""

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.record import Recorder

RNG = np.random.default_rng(0)


def fixed(size, seen=None):
    """Stand for a model that is laid out for one batch size."""

    def function(batch):
        if seen is not None:
            seen.append(len(batch))
        if len(batch) != size:
            raise RuntimeError(f"Expected hidden size (1, {size}, 4), got [1, {len(batch)}, 4]")
        return {"t": np.round(batch @ np.ones((3, 2)), 1)}

    return function


def recorded(x, function, **options):
    recorder = Recorder(x, **options)
    recorder.step(0, function)
    return recorder.results()


@pytest.mark.parametrize("n_samples", [64, 65, 100, 128, 40])
def test_a_model_for_one_batch_size_gives_the_values_of_one_for_any(n_samples):
    x = RNG.standard_normal((n_samples, 3))
    ds = recorded(x, fixed(64), batch_size=64)
    other = recorded(x, lambda batch: {"t": np.round(batch @ np.ones((3, 2)), 1)})
    assert ds["information"].equals(other["information"])
    assert ds["activation_sd"].equals(other["activation_sd"])


def test_a_model_for_all_inputs_at_once_needs_no_option_up_to_the_default_batch_size():
    assert recorded(RNG.standard_normal((500, 3)), fixed(500)).sizes["layer"] == 1


@pytest.mark.parametrize("options", [{"batch_size": "all"}, {"batch_size": 64, "exact_batch": True}])
def test_an_exact_batch_size_is_the_only_one_that_is_tried(options):
    seen = []
    x = RNG.standard_normal((64 if options["batch_size"] == "all" else 150, 3))
    recorded(x, fixed(64, seen), **options)
    assert set(seen) == {64}


def test_a_model_that_runs_on_no_batch_is_an_error_that_says_what_to_do():
    with pytest.raises(InputError, match=r"shape \(40, 3\), got RuntimeError: Expected hidden.* set batch_size to"):
        recorded(RNG.standard_normal((40, 3)), fixed(64), batch_size=40)


def test_other_errors_of_a_model_are_its_own():
    def broken(batch):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        recorded(RNG.standard_normal((40, 3)), broken)


def test_batch_sizes_that_are_none_are_refused():
    for size in ("every", 0, 2.5):
        with pytest.raises(InputError, match="batch_size is"):
            Recorder(np.eye(4), batch_size=size)
