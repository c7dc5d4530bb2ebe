"""Users' arrays: what is adopted, what is refused in which words, and that nothing is modified."""

import ml_dtypes
import numpy as np
import pytest

from infoplane._arrays import as_labels, as_samples
from infoplane.errors import InputError

TABLE = np.array([[0.5, -1.0], [0.25, 2.0], [0.5, -1.0], [3.0, 0.0]])  # exact in every floating type below


class OnlyDlpack:
    """An array of another library that speaks nothing but DLPack."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


ADOPTED = {
    "list of lists": TABLE.tolist(),
    "float16": TABLE.astype(np.float16),
    "float32": TABLE.astype(np.float32),
    "bfloat16": TABLE.astype(ml_dtypes.bfloat16),
    "float8": TABLE.astype(ml_dtypes.float8_e4m3fn),
    "long double": TABLE.astype(np.longdouble),
    "big-endian": TABLE.astype(">f8"),
    "read-only": read_only(TABLE),
    "Fortran order": np.asfortranarray(TABLE),
    "every second row": np.repeat(TABLE, 2, axis=0)[::2],
    "backwards": TABLE[::-1, ::-1].copy()[::-1, ::-1],
    "DLPack only": OnlyDlpack(TABLE),
}


@pytest.mark.parametrize("value", ADOPTED.values(), ids=ADOPTED.keys())
def test_samples_of_every_clear_meaning_have_their_values(value):
    samples = as_samples(value, "t")
    assert samples.dtype.name in ("float32", "float64")
    np.testing.assert_array_equal(samples.astype(np.float64), TABLE)


def test_jax_arrays_are_adopted():
    import jax.numpy as jnp

    np.testing.assert_array_equal(as_samples(jnp.asarray(TABLE, jnp.float32), "t"), TABLE)
    np.testing.assert_array_equal(as_samples(jnp.asarray(TABLE, jnp.bfloat16), "t"), TABLE)


def test_a_torch_tensor_that_needs_its_gradient_is_adopted():
    torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
    for dtype in (torch.float64, torch.bfloat16):
        np.testing.assert_array_equal(as_samples(torch.tensor(TABLE, dtype=dtype, requires_grad=True), "t"), TABLE)


@pytest.mark.parametrize("value", [[1, 2, 3], [True, False, True], np.arange(3, dtype=np.uint8)])
def test_a_flat_array_is_one_dimension(value):
    samples = as_samples(value, "t")
    assert samples.shape == (3, 1)
    np.testing.assert_array_equal(samples[:, 0], np.asarray(value, float))


def test_numbers_that_are_not_finite_pass():
    samples = as_samples([1.0, np.nan, np.inf], "t")
    np.testing.assert_array_equal(samples[:, 0], [1.0, np.nan, np.inf])


REFUSED_SAMPLES = {
    "0-d": (
        np.float64(3),
        "t has shape (); expected (sample,) or (sample, dim). Pass one row for each sample",
    ),
    "3-d": (np.ones((4, 2, 2)), "t has shape (4, 2, 2); expected (sample,) or (sample, dim). Flatten"),
    "no columns": (np.ones((4, 0)), "t has shape (4, 0); expected (sample,) or (sample, dim)"),
    "no rows": (np.ones((0, 3)), "t has 0 rows; expected at least 2"),
    "one row": (np.ones((1, 3)), "t has 1 rows; expected at least 2"),
    "objects": (np.array([1, object()], object), "t has dtype object; expected numbers"),
    "None": (None, "t has dtype object; expected numbers"),
    "a function": (len, "t has dtype object; expected numbers"),
    "complex": (
        np.ones(3, complex),
        "t has dtype complex128; expected real numbers. Pass the real and the imaginary part as columns",
    ),
    "dates": (np.array(["2020-01-01"] * 2, "M8[D]"), "t has dtype datetime64[D]; expected numbers"),
    "raw bytes": (np.zeros(3, "V4"), "t has dtype |V4; expected numbers"),
    "masked": (
        np.ma.array([1.0, 2.0], mask=[0, 1]),
        "t: expected a value in every row, got 1 missing value in 2 rows, the first in row 1. Drop these rows",
    ),
    "ragged": ([[1, 2], [3]], "t cannot be read as an array: "),
    "strings": (["a", "b"], "t holds strings; expected numbers of shape (sample, dim)"),
    "numbers beyond 64 bits": ([10**400, 1.0], "t has dtype object; expected numbers"),
}


@pytest.mark.parametrize(("value", "text"), REFUSED_SAMPLES.values(), ids=REFUSED_SAMPLES.keys())
def test_samples_without_a_clear_meaning_are_refused_in_words(value, text):
    with pytest.raises(InputError) as caught:
        as_samples(value, "t")
    assert str(caught.value).startswith(text)
    assert "\n" not in str(caught.value)


def test_the_error_names_the_argument_that_was_passed():
    with pytest.raises(InputError, match="activations of hidden1 holds strings"):
        as_samples(["a"], "activations of hidden1")


@pytest.mark.parametrize(
    "labels",
    [[7, -2, 7, 9], ["b", "a", "b", "c"], np.array([[7], [-2], [7], [9]]), [[1, 0], [0, 9], [1, 0], [1, 1]]],
    ids=["integers", "strings", "one column", "joint symbol"],
)
def test_labels_become_codes_in_the_order_of_their_values(labels):
    codes = as_labels(labels, "y", 4)
    assert codes.dtype == np.int64
    np.testing.assert_array_equal(codes, [1, 0, 1, 2])


def test_booleans_are_labels():
    np.testing.assert_array_equal(as_labels(np.array([True, False]), "y", 2), [1, 0])


REFUSED_LABELS = {
    "floats": (
        [1.5, 2.0, 1.0],
        "y has dtype float64; expected classes as integers, booleans or strings, got numbers that are not whole. Cut",
    ),
    "too few": ([1, 2], "y has shape (2,); expected (3,), one label for each row of activations"),
    "0-d": (5, "y has shape (); expected (3,), one label"),
    "3-d": (np.zeros((3, 1, 1), int), "y has shape (3, 1, 1); expected (3,)"),
    "objects": (np.array([1, object(), 2], object), "y has dtype object; expected numbers, booleans or strings"),
    "None": (np.array([1, None, 2], object), "y: expected a value in every row, got 1 missing value in 3 rows"),
    "masked": (np.ma.array([1, 2, 3], mask=[0, 0, 1]), "y: expected a value in every row, got 1 missing value"),
}


@pytest.mark.parametrize(("value", "text"), REFUSED_LABELS.values(), ids=REFUSED_LABELS.keys())
def test_labels_without_a_clear_meaning_are_refused_in_words(value, text):
    with pytest.raises(InputError) as caught:
        as_labels(value, "y", 3)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i4", "u1", "?"])
def test_samples_and_labels_leave_their_input_as_it_was(dtype):
    value = np.array([[1, 0], [0, 1], [1, 1]]).astype(dtype)
    before = value.tobytes()
    samples = as_samples(value, "t")
    if value.dtype.kind != "f":
        as_labels(value, "y", 3)
    assert value.tobytes() == before
    assert value.dtype == np.dtype(dtype)
    assert samples.shape == (3, 2)
