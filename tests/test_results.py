"""The result on disk and as a table: equal when nothing happened to it, refused when something did."""

import shutil

import numpy as np
import pytest
import xarray as xr

from infoplane import files, results
from infoplane.errors import StoreError
from infoplane.estimators.base import FLAGS

SIZES = {"estimator": 2, "member": 3, "epoch": 4, "layer": 2, "variable": 2, "split": 2, "step": 6}


def made_up():
    """A result with all kinds of values: bits, NaN, flags, counts, names beyond ASCII."""
    rng = np.random.default_rng(0)

    def numbers(*dims):
        return dims, rng.random([SIZES[dim] for dim in dims])

    dims, information = numbers(*results.INFORMATION_DIMS)
    information[0, 1, 2, 0, 1] = np.nan
    flags = rng.integers(0, 1 << len(FLAGS), information.shape).astype(np.int32)
    return results.new(
        {
            "estimator": ["binning", "kde(variance=0.1)"],
            "member": np.arange(3),
            "epoch": np.array([0, 1, 3, 5]),
            "layer": ["hidden1", "wyjście ±"],
            "variable": list(results.VARIABLES),
            "split": list(results.SPLITS),
            "step": np.arange(6),
        },
        {
            "information": (dims, information),
            "flags": (dims, flags),
            "distinct_rows": numbers(*results.LAYER_DIMS),
            "loss": numbers(*results.CURVE_DIMS),
            "weight_norm": numbers(*results.NORM_DIMS),
            "member_flags": (("member",), np.array([0, 512, 1024], np.int32)),
        },
        {"config": '{"name": "µ"}', "title": "µ", "input_entropy": 12.0, "seed": 3},
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A run's folder with a result whose checksum is in the log, and the result itself."""
    folder, ds = tmp_path_factory.mktemp("saved"), made_up()

    def record(path, digest):
        files.append_line(folder / "log.jsonl", {"event": "file", "path": path.name, "sha256": digest})

    results.save(ds, folder / "results.nc", record)
    return folder, ds


def same(one, other):
    """Whether two results agree in every name, value, type and attribute."""
    return one.identical(other) and all(one[name].dtype == other[name].dtype for name in one.data_vars)


def test_a_saved_result_is_loaded_with_every_value_type_and_attribute(saved):
    folder, ds = saved
    assert same(results.load(folder), ds)
    assert same(results.load(folder / "results.nc"), ds)
    assert same(results.load(str(folder)), ds)


def test_a_result_copied_away_from_its_log_is_loaded(saved, tmp_path):
    folder, ds = saved
    shutil.copy(folder / "results.nc", tmp_path / "copy.nc")
    assert same(results.load(tmp_path / "copy.nc"), ds)


def test_saving_leaves_the_result_as_it_was(tmp_path):
    ds, untouched = made_up(), made_up()
    results.save(ds, tmp_path / "results.nc")
    assert same(ds, untouched)


def test_a_result_without_epochs_is_saved_and_loaded(tmp_path):
    ds = made_up().isel(epoch=slice(0))
    results.save(ds, tmp_path / "results.nc")
    assert same(results.load(tmp_path), ds)


def test_every_variable_carries_unit_and_meaning(saved):
    ds = results.load(saved[0])
    assert ds["information"].attrs["units"] == "bits"
    assert all(variable.attrs["long_name"] for variable in ds.data_vars.values())
    masks, meanings = ds["flags"].attrs["flag_masks"], ds["flags"].attrs["flag_meanings"].split()
    assert dict(zip(meanings, masks, strict=True)) == {flag: 1 << bit for bit, flag in enumerate(FLAGS)}


def damaged(raw, rng):
    """30 contents with one bit flipped and 20 cut short."""
    for _ in range(30):
        content = bytearray(raw)
        content[rng.integers(len(raw))] ^= 1 << int(rng.integers(8))
        yield bytes(content)
    for length in rng.integers(0, len(raw), 20):
        yield raw[:length]


def test_every_damage_in_a_runs_folder_is_refused(saved, tmp_path):
    folder, _ = saved
    shutil.copytree(folder, tmp_path / "run")
    path = tmp_path / "run" / "results.nc"
    for content in damaged(path.read_bytes(), np.random.default_rng(1)):
        path.write_bytes(content)
        with pytest.raises(StoreError, match=r"results\.nc: content differs from what was written"):
            results.load(tmp_path / "run")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # h5netcdf on a damaged root
def test_damage_in_a_lone_file_is_refused_or_changes_nothing(saved, tmp_path):
    folder, ds = saved
    path, refused = tmp_path / "copy.nc", 0
    for content in damaged((folder / "results.nc").read_bytes(), np.random.default_rng(2)):
        path.write_bytes(content)
        try:
            assert same(results.load(path), ds)
        except StoreError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused >= 20  # at least every truncation


def test_a_changed_attribute_is_refused(saved, tmp_path):
    """Attributes have no checksum of their own in netCDF: the one over the whole content finds it."""
    raw = (saved[0] / "results.nc").read_bytes()
    assert raw.count('{"name": "µ"}'.encode()) == 1
    (tmp_path / "copy.nc").write_bytes(raw.replace('{"name": "µ"}'.encode(), b'{"name": "x!"}'))
    with pytest.raises(StoreError, match=r"copy\.nc: "):
        results.load(tmp_path / "copy.nc")


@pytest.mark.parametrize(
    ("name", "content"),
    [("text.nc", b"not netCDF"), ("empty.nc", b""), ("HDF5.nc", b"\x89HDF\r\n\x1a\n" * 20)],
)
def test_what_is_no_netcdf_is_refused_by_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StoreError, match=f"{name}: cannot be read as a result"):
        results.load(tmp_path / name)


def test_netcdf_of_something_else_is_refused(tmp_path):
    xr.Dataset({"information": ("x", [1.0])}, attrs={"config": "{}"}).to_netcdf(
        tmp_path / "other.nc", engine="h5netcdf"
    )
    with pytest.raises(StoreError, match=r"other\.nc: netCDF, but not the result of a run"):
        results.load(tmp_path / "other.nc")


@pytest.mark.parametrize("name", ["", "nowhere", "nowhere.nc", "n" * 300])
def test_where_no_result_is_the_path_is_named(tmp_path, name):
    with pytest.raises(StoreError, match=r"no results there|File name too long"):
        results.load(tmp_path / name)


@pytest.mark.parametrize("flags", [[], [FLAGS[0]], [FLAGS[-1]], ["dead", "saturated", "ties"], FLAGS])
def test_flags_survive_their_encoding(flags):
    assert results.decode_flags(results.encode_flags(flags)) == frozenset(flags)


def test_flags_keep_their_bits_for_ever():
    assert [results.encode_flags([flag]) for flag in FLAGS] == [1 << bit for bit in range(len(FLAGS))]
    assert FLAGS[:4] == ("saturated", "constant", "ties", "clipped")
    assert FLAGS[9:11] == ("dead", "diverged")  # the last two of version 0.1; later flags follow


def test_the_table_has_a_row_for_every_number_and_flags_in_words():
    ds = made_up()
    ds["flags"][:] = 0
    ds["flags"][1, 2, 3, 1, 0] = results.encode_flags(["saturated", "clipped"])
    table = results.to_table(ds)
    assert list(table.columns) == [*results.INFORMATION_DIMS, "information", "flags"]
    assert len(table) == 2 * 3 * 4 * 2 * 2
    at = {
        "estimator": "kde(variance=0.1)",
        "member": 2,
        "epoch": 5,
        "layer": "wyjście ±",
        "variable": "input",
    }
    row = table[(table[list(at)] == list(at.values())).all(axis=1)]
    assert row["information"].item() == ds["information"].sel(at).item()
    assert row["flags"].item() == "clipped saturated"
    assert set(table.drop(row.index)["flags"]) == {""}


def test_the_configuration_travels_with_the_result(saved):
    assert results.config_of(results.load(saved[0])) == {"name": "µ"}
