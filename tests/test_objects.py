"""Data as users have them: columns, categories, nullable values, objects, masks; missing values are refused."""

import datetime
import decimal
import warnings

import numpy as np
import pytest

import infoplane as ip
from infoplane._arrays import ALWAYS_CLASSES, are_classes, as_labels, as_samples, to_numpy
from infoplane.errors import InputError

KINDS = np.array([0, 1, 1, 2, 0, 1] * 20)
WORDS = np.array(["cat", "dog", "fox"])[KINDS]
H = np.log2(6) - (2 * np.log2(2) + 3 * np.log2(3) + 1 * np.log2(1)) / 6  # shares 1/3, 1/2, 1/6


def pandas():
    return pytest.importorskip("pandas", reason="needs pandas")


def arrow(values):
    pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow")
    array = pyarrow.array(values)
    return pandas().Series(array, dtype=pandas().ArrowDtype(array.type))


def polars():
    return pytest.importorskip("polars", reason="needs polars")


def torch():
    return pytest.importorskip("torch", reason="needs the extra 'torch'")


def xarray(values):
    import xarray as xr

    return xr.DataArray(values, dims="sample", coords={"sample": np.arange(len(values))[::-1]})


def jax(values):
    import jax.numpy as jnp

    return jnp.asarray(values)


CLASSES = {
    "list of words": lambda: WORDS.tolist(),
    "tuple of words": lambda: tuple(WORDS.tolist()),
    "object words": lambda: WORDS.astype(object),
    "object integers": lambda: KINDS.astype(object),
    "object booleans and integers": lambda: np.array([bool(kind) if kind < 2 else 2 for kind in KINDS], object),
    "words and whole numbers": lambda: ["fox" if kind == 2 else int(kind) for kind in KINDS],
    "bytes": lambda: WORDS.astype("S"),
    "objects that are bytes": lambda: WORDS.astype("S").astype(object),
    "StringDType": lambda: WORDS.astype(np.dtypes.StringDType()),
    "whole floats": lambda: KINDS.astype(np.float32),
    "objects that are whole floats": lambda: KINDS.astype(float).astype(object),
    "decimals": lambda: [decimal.Decimal(int(kind)) for kind in KINDS],
    "masked without a mask": lambda: np.ma.array(WORDS),
    "long doubles": lambda: KINDS.astype(np.longdouble),
    "xarray": lambda: xarray(KINDS),
    "xarray of objects": lambda: xarray(WORDS.astype(object)),
    "JAX": lambda: jax(KINDS),
    "JAX floats": lambda: jax(KINDS.astype(np.float32)),
    "pandas words": lambda: pandas().Series(WORDS),
    "pandas objects": lambda: pandas().Series(WORDS, dtype=object),
    "pandas string": lambda: pandas().Series(WORDS, dtype="string"),
    "pandas Int64": lambda: pandas().Series(KINDS, dtype="Int64"),
    "pandas Float64": lambda: pandas().Series(KINDS, dtype="Float64"),
    "pandas after a join": lambda: pandas().Series(KINDS).astype(float),
    "pandas shuffled index": lambda: pandas().Series(WORDS, index=np.random.default_rng(0).permutation(len(WORDS))),
    "pandas category": lambda: pandas().Series(WORDS).astype("category"),
    "pandas category of integers": lambda: pandas().Series(KINDS).astype("category"),
    "pandas category of floats": lambda: pandas().Series(KINDS / 4).astype("category"),
    "pandas Categorical": lambda: pandas().Categorical(WORDS),
    "pandas ordered": lambda: pandas().Categorical(WORDS, categories=["fox", "cat", "dog", "owl"], ordered=True),
    "pandas cut": lambda: pandas().cut(KINDS, [-1, 0, 1, 2]),
    "pandas Index": lambda: pandas().Index(WORDS),
    "pandas table of one column": lambda: pandas().DataFrame({"kind": WORDS}),
    "pandas table of two columns": lambda: pandas().DataFrame({"kind": WORDS, "again": KINDS}),
    "pandas sparse": lambda: pandas().Series(pandas().arrays.SparseArray(KINDS)),
    "pandas arrow words": lambda: arrow(WORDS.tolist()),
    "pandas arrow integers": lambda: arrow(KINDS.tolist()),
    "pandas arrow whole floats": lambda: arrow(KINDS.astype(float).tolist()),
    "pandas arrow dictionary": lambda: arrow(WORDS.tolist()).astype("category"),
    "polars words": lambda: polars().Series(WORDS.tolist()),
    "polars integers": lambda: polars().Series(KINDS),
    "polars category": lambda: polars().Series(WORDS.tolist(), dtype=polars().Categorical),
    "polars enum": lambda: polars().Series(WORDS.tolist(), dtype=polars().Enum(["cat", "dog", "fox"])),
    "polars table": lambda: polars().DataFrame({"kind": KINDS}),
    "polars decimals": lambda: polars().Series(KINDS).cast(polars().Decimal(10, 2)),
    "torch": lambda: torch().tensor(KINDS),
    "torch floats": lambda: torch().tensor(KINDS, dtype=torch().bfloat16),
}


@pytest.mark.parametrize("make", CLASSES.values(), ids=CLASSES.keys())
def test_every_form_of_classes_is_the_same_labels_at_every_entrance(make):
    labels, n = make(), len(KINDS)
    x = KINDS + np.linspace(0, 0.5, n)
    codes = as_labels(labels, "y", n)
    assert np.array_equal(codes[:, None] == codes, KINDS[:, None] == KINDS)  # the same partition of the rows
    expected = ip.mutual_information(x, KINDS, "ross").bits
    assert ip.mutual_information(x, labels, "ross").bits == expected
    assert ip.layer_information(x, labels, "ross").label.bits == expected
    assert ip.entropy(labels, "plugin").bits == pytest.approx(H)
    assert ip.entropy(labels, "exact").bits == pytest.approx(H)
    assert ip.mutual_information(labels, KINDS, "plugin").bits == pytest.approx(H)
    if np.ndim(to_numpy(labels, "y")) == 2 and to_numpy(labels, "y").shape[1] > 1:
        return  # the recorder takes one label for each input
    recorder = ip.Recorder(x[:, None], labels, batch_size=n)
    assert recorder.entropies[1] == pytest.approx(H)
    recorder.step(0, {"layer": x[:, None]})
    assert recorder.results()["information"].sel(variable="label").item() == pytest.approx(
        ip.layer_information(x, KINDS).label.bits
    )
    clouds = np.stack([x, x + 0.1])[..., None]
    assert ip.as_if_random(clouds, labels, "binning").label.bits == ip.as_if_random(clouds, KINDS, "binning").label.bits


TABLE = np.array([[0.5, 1.0], [0.25, 2.0], [4.0, -1.5], [3.0, 0.0]])

COORDINATES = {
    "pandas": lambda: pandas().DataFrame(TABLE),
    "pandas Float64": lambda: pandas().DataFrame(TABLE).astype("Float64"),
    "pandas objects": lambda: pandas().DataFrame(TABLE, dtype=object),
    "pandas arrow": lambda: pandas().DataFrame({str(i): arrow(column.tolist()) for i, column in enumerate(TABLE.T)}),
    "polars": lambda: polars().DataFrame(TABLE),
    "decimals": lambda: [[decimal.Decimal(str(v)) for v in row] for row in TABLE],
    "xarray": lambda: xarray(TABLE[:, 0]).expand_dims({"column": 2}).transpose("sample", "column") * 0 + TABLE,
    "masked without a mask": lambda: np.ma.array(TABLE, mask=False),
}


@pytest.mark.parametrize("make", COORDINATES.values(), ids=COORDINATES.keys())
def test_every_form_of_coordinates_has_their_values(make):
    np.testing.assert_array_equal(as_samples(make(), "x"), TABLE)
    assert ip.Recorder(make()).entropies[0] == 2.0


GAPS = {  # two gaps, the first in row 1
    "None among words": lambda: ["a", None, "b", None],
    "NaN among words": lambda: ["a", np.nan, "b", np.nan],
    "None among numbers": lambda: [0, None, 1, None],
    "None among floats": lambda: [0.5, None, 1.5, None],
    "objects": lambda: np.array(["a", None, "b", np.nan], object),
    "pandas arrow words": lambda: arrow(["a", None, "b", None]),
    "pandas arrow integers": lambda: arrow([0, None, 1, None]),
    "pandas arrow floats": lambda: arrow([0.5, None, 1.5, None]),
    "NaN in decimals": lambda: [decimal.Decimal(1), decimal.Decimal("NaN"), decimal.Decimal(2), None],
    "masked": lambda: np.ma.array([0, 1, 2, 1], mask=[0, 1, 0, 1]),
    "NaT": lambda: np.array(["2020-01-01", "NaT", "2020-01-01", "NaT"], "M8[D]"),
    "pandas words": lambda: pandas().Series(["a", None, "b", None]),
    "pandas objects": lambda: pandas().Series(["a", np.nan, "b", None], dtype=object),
    "pandas string": lambda: pandas().Series(["a", None, "b", None], dtype="string"),
    "pandas Int64": lambda: pandas().Series([1, None, 2, None], dtype="Int64"),
    "pandas boolean": lambda: pandas().Series([True, None, False, None], dtype="boolean"),
    "pandas Float64": lambda: pandas().Series([1.5, None, 2, None], dtype="Float64"),
    "pandas category": lambda: pandas().Series(["a", None, "b", None]).astype("category"),
    "pandas category of floats": lambda: pandas().Categorical([0.5, None, 1.5, None]),
    "pandas dates": lambda: pandas().Series(pandas().to_datetime(["2020-01-01", None, "2020-01-01", None])),
    "pandas table": lambda: pandas().DataFrame({"a": pandas().Series([1, None, 2, None], dtype="Int64"), "b": 0.5}),
    "list of NA": lambda: [1, pandas().NA, 2, pandas().NA],
    "polars words": lambda: polars().Series(["a", None, "b", None]),
    "polars integers": lambda: polars().Series([1, None, 2, None]),
    "polars table": lambda: polars().DataFrame({"a": [1, None, 2, None], "b": [0.5] * 4}),
    "polars category": lambda: polars().Series(["a", None, "b", None], dtype=polars().Categorical),
}

ENTRANCES = {
    "mutual_information x": lambda value: ip.mutual_information(value, np.arange(4) % 2, "plugin"),
    "mutual_information y": lambda value: ip.mutual_information(np.arange(4) / 4, value, "ross"),
    "entropy": lambda value: ip.entropy(value),
    "layer_information": lambda value: ip.layer_information(np.eye(4), value),
    "as_if_random": lambda value: ip.as_if_random(np.arange(8.0).reshape(2, 4, 1), value, "binning"),
    "Recorder": lambda value: ip.Recorder(np.eye(4), value),
    "plane": lambda value: ip.plane(lambda x: {"a": x}, np.eye(4), value),
}


@pytest.mark.parametrize("enter", ENTRANCES.values(), ids=ENTRANCES.keys())
@pytest.mark.parametrize("make", GAPS.values(), ids=GAPS.keys())
def test_missing_values_are_refused_with_their_number_and_first_row(make, enter):
    with pytest.raises(InputError, match=r"got 2 missing values in 4 rows, the first in row 1\. Drop these rows"):
        enter(make())


@pytest.mark.parametrize("make", GAPS.values(), ids=GAPS.keys())
def test_after_the_rows_are_dropped_the_call_succeeds(make):
    rows = [0, 2]
    value = make()
    if isinstance(value, list):
        kept = [value[row] for row in rows]
    elif hasattr(value, "iloc"):
        kept = value.iloc[rows]
    else:
        kept = value[rows]
    if getattr(getattr(kept, "dtype", None), "kind", "") != "M":  # dates have a remedy of their own
        assert ip.entropy(kept, "exact").n == len(rows)


def test_inputs_with_missing_values_are_refused_too():
    with pytest.raises(InputError, match=r"inputs: expected a value in every row, got 1 missing value in 3 rows"):
        ip.Recorder(np.ma.array(np.eye(3), mask=np.eye(3) * [0, 1, 0]))
    with pytest.raises(InputError, match="the first in row 1"):
        ip.layer_information(pandas().DataFrame({"a": pandas().Series([1, None, 3], dtype="Int64")}))


def test_a_float_column_with_nan_is_a_number_that_is_not_finite():
    column = pandas().Series([0.5, np.nan, 1.0])
    assert np.isnan(to_numpy(column, "x")[1])
    with pytest.raises(InputError, match=r"y: expected a class in every row, got 1 rows of 3 .* the first is row 1"):
        ip.layer_information(np.eye(3), column)


@pytest.mark.parametrize("word", ["nan", "NaN", "<NA>", "NaT"])
def test_missing_values_that_became_words_are_refused(word):
    words = np.array(["a", "b", word, "a", word])
    with pytest.raises(InputError, match=rf"y: .* the word '{word}', .* in 2 of 5 rows, the first is row 2\. Drop"):
        ip.layer_information(np.eye(5), words)
    renamed = np.where(words == word, "bread", words)
    assert ip.layer_information(np.eye(5), renamed).label.bits == pytest.approx(np.log2(5) - 4 / 5)


# ---- whole numbers stored as floats


def test_whole_floats_with_few_values_are_classes():
    assert are_classes(np.arange(2600) % 26 + 0.0)
    assert are_classes(np.arange(ALWAYS_CLASSES) + 0.0)
    assert are_classes(np.arange(2000) % 1000 + 0.0)
    assert not are_classes(np.arange(ALWAYS_CLASSES + 1) + 0.0)  # each value once
    assert not are_classes(np.arange(9000) % 1001 + 0.0)
    assert not are_classes(np.array([0.0, 0.5]))
    assert not are_classes(np.array([0.0, np.nan]))
    assert not are_classes(np.array([0.0, 2.0**53]))
    assert not are_classes(np.array([0, 1]))


def test_26_classes_as_floats_stay_26_in_the_recorder_and_the_result_says_so():
    y = np.arange(2600) % 26
    recorder = ip.Recorder(np.eye(26)[y] + np.arange(2600)[:, None], y.astype(float))
    assert recorder.entropies[1] == pytest.approx(np.log2(26))
    recorder.step(0, {"layer": y[:, None] / 26})
    assert recorder.results().attrs["targets"] == (
        "labels are whole numbers stored as floats, 26 values, each of which is a class"
    )


def test_an_estimator_of_labels_takes_whole_floats_as_classes_and_says_so():
    x, y = np.linspace(0, 1, 60), np.arange(60) // 20
    found = ip.mutual_information(x, y.astype(float), "ross", null=5, uncertainty=True)
    expected = ip.mutual_information(x, y, "ross", null=5, uncertainty=True)
    assert (found.bits, found.null, found.interval) == (expected.bits, expected.null, expected.interval)
    assert "y (3 different values): whole numbers stored as floats, taken as classes" in found.reason
    assert ip.mutual_information(y.astype(float), x, "ross").bits == ip.mutual_information(y, x, "ross").bits
    assert ip.mutual_information(y.astype(float), y, "plugin").bits == pytest.approx(np.log2(3))
    both = ip.mutual_information(y.astype(float), 2.0 * y, "plugin")
    assert both.reason.startswith("x (3 different values) and y (3 different values): whole numbers")


def test_whole_floats_stay_coordinates_where_coordinates_are_measured():
    x, y = np.arange(60) % 7 + np.linspace(0, 0.1, 60), np.arange(60) % 5 + 0.0
    assert ip.mutual_information(x, y, "ksg1").reason.count("classes") == 0


# ---- the remedy of each refusal helps


REMEDIES = {
    "complex column": (np.arange(8) * (1 + 2j), "numpy.column_stack([x.real, x.imag])"),
    "complex table": (np.arange(8).reshape(4, 2) * (1 + 2j), "numpy.column_stack([x.real, x.imag])"),
    "dates": (np.array(["2020-01-01", "2020-02-01"] * 4, "M8[D]"), "(x - x.min()) / numpy.timedelta64(1, 'D')"),
    "durations": (np.arange(8).astype("m8[h]"), "x / numpy.timedelta64(1, 'D')"),
    "objects that are dates": (
        [datetime.datetime(2020, 1, day + 1) for day in range(8)],
        "numpy.array(x, 'M8[us]').astype('int64') / 1e6",
    ),
    "fields": (
        np.array([(1.5, 2), (0.5, 1)] * 4, [("a", float), ("b", int)]),
        "numpy.column_stack([x[name] for name in x.dtype.names])",
    ),
    "beyond 64 bits": ([10**30 + i % 3 for i in range(8)], "numpy.unique(x, return_inverse=True)[1]"),
    "images": (np.arange(32.0).reshape(8, 2, 2), "x.reshape(len(x), -1)"),
    "a dictionary": ({"a": 1.0, "b": 3.0}, "list(x.values())"),
    "a set": ({1.0, 2.0, 3.0}, "sorted(x)"),
    "words among floats": (["a", 0.5, "b", 1.5] * 2, "numpy.array(x, dtype=str)"),
}


@pytest.mark.parametrize(("value", "remedy"), REMEDIES.values(), ids=REMEDIES.keys())
def test_the_remedy_of_a_refused_variable_makes_the_call_succeed(value, remedy):
    with pytest.raises(InputError) as caught:
        ip.mutual_information(value, np.arange(len(value)) % 2, "mixed-ksg", k=1)
    assert remedy.replace("numpy.array(x, dtype=str)", "numpy.array(..., dtype=str)") in str(caught.value)
    repaired = eval(remedy, {"numpy": np, "x": value, "list": list, "sorted": sorted})
    ip.mutual_information(repaired, np.arange(len(repaired)) % 2, "mixed-ksg", k=1)


def test_the_remedy_of_sparse_lazy_and_quantized_data_makes_the_call_succeed():
    import scipy.sparse

    def check(value, remedy):
        with pytest.raises(InputError, match=f"Pass x{remedy}".replace("(", r"\(").replace(")", r"\)")):
            ip.mutual_information(value, [0, 1, 1, 0], "mixed-ksg", k=1)
        ip.mutual_information(eval(f"x{remedy}", {"x": value}), [0, 1, 1, 0], "mixed-ksg", k=1)

    for kind in (scipy.sparse.csr_array, scipy.sparse.coo_matrix):
        check(kind(np.eye(4)), ".todense()")
    check(polars().DataFrame(np.eye(4)).lazy(), ".collect()")
    check(torch().eye(4).to_sparse(), ".to_dense()")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates these tensors
        quantized = torch().quantize_per_tensor(torch().eye(4), 0.1, 0, torch().quint8)
    check(quantized, ".dequantize()")


LABELS = {
    "whole numbers with many values": (np.arange(60.0), "y.astype(int)"),
    "numbers that are not whole": (np.arange(60) / 7, "y > numpy.median(y)"),
}


@pytest.mark.parametrize(("labels", "remedy"), LABELS.values(), ids=LABELS.keys())
def test_the_remedy_of_refused_labels_makes_the_call_succeed(labels, remedy):
    t = np.linspace(0, 1, 60)[:, None]
    with pytest.raises(InputError) as caught:
        ip.layer_information(t, labels)
    assert remedy in str(caught.value)
    ip.layer_information(t, eval(remedy, {"numpy": np, "y": labels}))


def test_the_remedy_of_words_as_activations_makes_the_call_succeed():
    with pytest.raises(InputError) as caught:
        ip.layer_information(["a", "b", "a"])
    remedy = "numpy.unique(t, return_inverse=True)[1]"
    assert remedy in str(caught.value)
    ip.layer_information(eval(remedy, {"numpy": np, "t": ["a", "b", "a"]}))


PAIRS = {  # x, y, the estimator, what the text recommends for x and y
    "ksg1 of a label": (np.linspace(0, 1, 60), np.arange(60) // 20, "ksg1", "y with y.astype(float)"),
    "ksg1 of two labels": (np.arange(60) // 15, np.arange(60) // 20, "ksg1", "x with x.astype(float) and y with"),
    "ross of coordinates": (np.linspace(0, 1, 60), np.linspace(0, 1, 60), "ross", "y > numpy.median(y)"),
}


@pytest.mark.parametrize(("x", "y", "estimator", "text"), PAIRS.values(), ids=PAIRS.keys())
def test_the_remedy_of_a_refused_pair_makes_the_call_succeed(x, y, estimator, text):
    with pytest.raises(InputError) as caught:
        ip.mutual_information(x, y, estimator)
    assert text in str(caught.value)
    repaired = {"x": x, "y": y}
    for name in repaired:
        if f"{name}.astype(float)" in str(caught.value):
            repaired[name] = repaired[name].astype(float)
    if "numpy.median(y)" in str(caught.value):
        repaired["y"] = y > np.median(y)
    ip.mutual_information(repaired["x"], repaired["y"], estimator)
    for other in str(caught.value).partition(": use ")[2].partition(", or ")[0].split(", "):
        ip.mutual_information(x, y, other)


def test_words_are_never_told_to_become_floats():
    with pytest.raises(InputError) as caught:
        ip.mutual_information(np.linspace(0, 1, 60), WORDS[:60], "ksg1")
    assert "astype" not in str(caught.value)
    for estimator in ("kl", "lnn", "gaussian"):
        with pytest.raises(InputError) as caught:
            ip.entropy(WORDS, estimator)
        assert "astype" not in str(caught.value)
        with pytest.raises(InputError, match=r"\.astype\(float\)"):
            ip.entropy(np.arange(40), estimator)
    for estimator in ("kl", "gaussian"):
        ip.entropy(np.arange(40).astype(float), estimator)
    ip.entropy(np.random.default_rng(0).integers(0, 2**40, 40).astype(float), "lnn")


def test_integers_that_never_repeat_beside_floats_are_told_to_become_floats():
    x = np.random.default_rng(0).normal(size=100)
    found = ip.mutual_information(np.arange(100), x)
    assert "no value of x repeats" in found.reason
    assert "pass x.astype(float)" in found.reason
    assert np.isfinite(ip.mutual_information(np.arange(100).astype(float), x).bits)
