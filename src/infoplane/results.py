"""The result of every run: one labelled data set, in bits, saved as checked netCDF.

Dimensions of ``information``: estimator, member, epoch, layer, variable (``input`` is I(X;T), ``label`` is
I(T;Y)). Training curves stand on their own dimension ``step``, one entry an epoch. What was not measured is
NaN.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from infoplane import files
from infoplane.errors import InputError, StoreError
from infoplane.estimators.base import FLAGS

if TYPE_CHECKING:
    import xarray as xr

_CONTENT = "content_sha256"

VARIABLES = ("input", "label")
SPLITS = ("train", "test")
VIEWS = ("reduction", "view", "batch_statistics")
"""Attributes that state how activations were changed before they were measured."""

HELD_OUT = "held_out_"
"""What the names of variables and attributes of a second, held-out set of inputs begin with."""

PARTS = {"all": "all_", "train": "train_", "test": HELD_OUT}
"""The same for each part of the inputs, where it is not the first that was measured."""

_OF_PART = {"all_": "; of all inputs", "train_": "; of the inputs trained on", HELD_OUT: "; of the held-out inputs"}

INFORMATION_DIMS = ("estimator", "member", "epoch", "layer", "variable")
LAYER_DIMS = ("member", "epoch", "layer")
HISTOGRAM_DIMS = (*LAYER_DIMS, "cell")
CURVE_DIMS = ("split", "member", "step")
NORM_DIMS = ("member", "step", "layer")

DESCRIPTIONS = {
    "information": ("bits", "mutual information of a layer with the input, I(X;T), or the label, I(T;Y)"),
    "information_std_error": ("bits", "standard error of the information"),
    "information_lower": ("bits", "bound below the true information under the estimator's noise model"),
    "information_upper": ("bits", "bound above the true information under the estimator's noise model"),
    "flags": ("1", "what makes a value suspect: bits as in flag_masks and flag_meanings"),
    "reasons": ("1", "the amounts behind the flags, in words"),
    "activation_min": ("1", "smallest activation of the layer"),
    "activation_max": ("1", "largest activation of the layer"),
    "activation_sd": ("1", "standard deviation of all activations of the layer"),
    "dead_share": ("1", "share of units that give the same value for every sample"),
    "saturated_share": ("1", "share of values within 1 % of the range from an end of a bounded activation"),
    "distinct_rows": ("1", "number of distinct activation rows, compared exactly"),
    "distinct_rows_float16": ("1", "number of distinct activation rows, rounded to half precision"),
    "distinct_rows_float64": ("1", "number of distinct activation rows, computed in float64 from the float32 weights"),
    "histogram": ("1", "share of the layer's values in each cell of activations, by where the cell begins"),
    "rank": ("1", "numerical rank of the activations (units by samples)"),
    "rank_float64": ("1", "numerical rank of the activations computed in float64"),
    "loss": ("nats", "cross-entropy; of the training rows as the mini-batches pass"),
    "accuracy": ("1", "share of samples given their class; of the training rows as the mini-batches pass"),
    "weight_norm": ("1", "Frobenius norm of the layer's kernel"),
    "training_error": ("1", "mean squared error on the rows trained on, over the variance of the label"),
    "generalisation_error": ("1", "mean squared error on new inputs, exact, over the variance of the label"),
    "gradient_mean": ("1", "norm of the mean over an epoch's mini-batches of the gradient of the layer's kernel"),
    "gradient_std": ("1", "root of the trace of the covariance of that gradient over the epoch's mini-batches"),
    "accuracy_at_end": ("1", "share of the measured inputs given their class by the last sample of the weights"),
    "accuracy_at_epoch": ("1", "share of the inputs trained on, and of those held out, given their class"),
    "single_update": ("bits", "information of the network after the last update alone, its weights known"),
    "by_length": ("bits", "information of windows of other lengths up to the last end"),
    "by_samples": ("bits", "information of the last window from parts of its samples of the weights, by their number"),
    "limit": ("bits", "information of the last window with infinitely many samples: a line in 1/M read at 0"),
    "limit_std_error": ("bits", "standard error of that limit"),
    "control_bits": ("bits", "I(X;T) of clouds of which it is known, made from the last window"),
    "control_std_error": ("bits", "standard error of the same"),
    "control_expected": ("bits", "what it is known to be"),
    "cloud": ("1", "outputs before the softmax of some inputs, in every sample of the weights of a window"),
    "published": ("bits", "information that another code stored for one network of this shape"),
    "order_violation": (
        "bits",
        "largest excess of a layer's information over that of the layer before it; layers that are binned or noised "
        "separately need not obey the data-processing inequality",
    ),
    "member_flags": ("1", "what is wrong with a whole member: bits as in flag_masks and flag_meanings"),
}
"""Unit and meaning of each variable."""


def encode_flags(flags: Iterable[str]) -> int:
    """Return bare flag names as one integer, a bit each in the order of `FLAGS`."""
    return sum(1 << FLAGS.index(flag) for flag in flags)


def decode_flags(code: int | np.integer) -> frozenset[str]:
    """Return the flag names of an integer made by `encode_flags`."""
    return frozenset(flag for bit, flag in enumerate(FLAGS) if int(code) >> bit & 1)


def describe(ds: "xr.Dataset") -> "xr.Dataset":
    """Give each variable its unit and meaning; the flags also their names, as the CF conventions ask."""
    for name, variable in ds.data_vars.items():
        prefix = next((one for one in _OF_PART if str(name).startswith(one)), "")
        units, meaning = DESCRIPTIONS[str(name).removeprefix(prefix)]
        variable.attrs.update(units=units, long_name=meaning + _OF_PART.get(prefix, ""))
        if str(name).endswith("flags"):
            masks = np.array([1 << bit for bit in range(len(FLAGS))], np.int32)
            variable.attrs.update(flag_masks=masks, flag_meanings=" ".join(FLAGS))
    return ds


def save(ds: "xr.Dataset", path: Path, record: files.Record | None = None) -> str:
    """Write a data set as netCDF with compression and checksums; return the file's SHA-256.

    Every block of numbers has a checksum of its own; one of the whole content, names and attributes included,
    goes along, so that the file can be verified wherever it is copied. ``record`` is told the SHA-256 before
    the file gets its name; see `infoplane.files.write`. The file is built in memory, since HDF5 ends the process
    where its own writes fail, as on a full disk.

    Raises:
        DiskFullError: when the disk is full.
        StoreError: when the file cannot be written for another reason.
    """
    ds = ds.assign_attrs({_CONTENT: _content_sha256(ds)})
    encoding: dict[str, dict[str, Any]] = {}
    for name in [*ds.data_vars, *ds.coords]:
        encoding[str(name)] = {"fletcher32": True} if ds[name].dtype.kind not in "OUT" else {}
        if ds[name].ndim and ds[name].dtype.kind not in "OUT":
            encoding[str(name)] |= {"zlib": True, "complevel": 4, "shuffle": True}
        if not ds[name].ndim:
            encoding[str(name)] = {}
    return files.write_bytes(path, _as_netcdf(ds, encoding), record)


def _as_netcdf(ds: "xr.Dataset", encoding: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return a data set as the content of a netCDF file."""
    import h5netcdf
    from xarray.backends import H5NetCDFStore

    content = io.BytesIO()
    with h5netcdf.File(content, "w") as file:
        ds.dump_to_store(H5NetCDFStore(file), encoding=encoding)
    return content.getvalue()


def _content_sha256(ds: "xr.Dataset") -> str:
    """Return the SHA-256 of all names, dimensions, values and attributes."""
    hashed = hashlib.sha256()
    for name, variable in [("", ds), *sorted(ds.variables.items(), key=lambda item: str(item[0]))]:
        attrs = {str(key): np.asarray(value).tolist() for key, value in variable.attrs.items()}
        hashed.update(json.dumps([str(name), list(variable.dims), attrs], sort_keys=True).encode())
        if name:
            values = np.asarray(variable.values)
            numbers = values.dtype.kind in "biuf"
            hashed.update(values.tobytes() if numbers else json.dumps(values.tolist()).encode())
    return hashed.hexdigest()


def load(path: str | Path) -> "xr.Dataset":
    """Load the result of a run from its folder or its ``results.nc`` and verify its checksums.

    Raises:
        StoreError: when there is no result there, or its content is not what was written.
    """
    import h5py
    import xarray as xr

    path = Path(path)
    with files.named(path):
        if path.is_dir():
            files.refuse_links(path)
        file = path / "results.nc" if path.is_dir() else path
        if not file.is_file():
            raise StoreError(f"{file}: no results there; expected a run's folder or its results.nc")
    recorded = files.recorded(file.parent / "log.jsonl").get(file.name)
    if recorded is not None and files.sha256(file) not in recorded:
        raise StoreError(f"{file}: content differs from what was written (SHA-256); run or resume again")
    try:
        h5py.File(file).close()  # what is no HDF5 at all, h5netcdf refuses with noise on stderr
        with xr.open_dataset(file, engine="h5netcdf") as opened:
            ds = opened.load()
    except Exception as error:  # a damaged file makes HDF5 and its readers fail in many ways
        raise StoreError(f"{file}: cannot be read as a result ({error})") from error
    if _CONTENT not in ds.attrs:
        raise StoreError(f"{file}: netCDF, but not the result of a run (no '{_CONTENT}' among its attributes)")
    if ds.attrs.pop(_CONTENT) != _content_sha256(ds):
        raise StoreError(f"{file}: content differs from what was written (its own SHA-256)")
    return ds


def output_of(ds: "xr.Dataset") -> str | None:
    """Return the layer that gives the model's output, or None if the output was not recorded.

    The attribute ``output_layer`` is the layer's name, and empty if no recorded layer gives the output. In results
    without the attribute, which packaged experiments and older recordings make, the last layer is the output.
    """
    layers = [str(name) for name in ds["layer"].values]
    if "output_layer" not in ds.attrs:
        return layers[-1] if layers else None
    named = str(ds.attrs["output_layer"])
    return named if named in layers else None


def need_result(ds: Any) -> None:
    """Refuse what is no result.

    Raises:
        InputError: then.
    """
    if not hasattr(ds, "data_vars") or "information" not in ds:
        raise InputError(f"ds is of type {type(ds).__name__}; expected a result, as from ip.load(folder)")


def config_of(ds: "xr.Dataset") -> dict[str, Any]:
    """Return the configuration that a result carries; nothing where it carries none."""
    return json.loads(ds.attrs.get("config", "{}"))


def to_table(ds: "xr.Dataset") -> Any:
    """Return the information as a tidy pandas table, one row a number, flags spelled out."""
    names = [str(name) for name in ds.data_vars if str(name).startswith("information")]
    table = ds[[*names, "flags", *(["reasons"] if "reasons" in ds else [])]].to_dataframe().reset_index()
    spelled = {code: " ".join(sorted(decode_flags(code))) for code in np.unique(table["flags"])}
    table["flags"] = table["flags"].map(spelled.get)
    return table


def reasons_at(ds: "xr.Dataset", place: int = -1) -> list[tuple[str, str, str]]:
    """Return (estimator, layer, reason) of every value at an epoch that has a reason; equal ones of a layer once.

    Args:
        ds: a result; those without reasons, as packaged runs give them, have none.
        place: which of the measured epochs, the last by default.
    """
    if "reasons" not in ds:
        return []
    texts = ds["reasons"].isel(epoch=place).transpose("estimator", "layer", ...)
    return [
        (str(estimator), str(layer), text)
        for estimator, of_estimator in zip(ds["estimator"].values, texts.values, strict=True)
        for layer, of_layer in zip(ds["layer"].values, of_estimator, strict=True)
        for text in dict.fromkeys(str(text) for text in of_layer.ravel() if text)
    ]


def has_held_out(ds: "xr.Dataset") -> bool:
    """Say whether a result holds a second, held-out set of inputs."""
    return any(str(name).startswith(HELD_OUT) for name in ds.data_vars)


def held_out(ds: "xr.Dataset") -> "xr.Dataset":
    """Return the held-out set of a recording as a result of its own, which every figure and table takes.

    Raises:
        InputError: when no held-out set was measured.
    """
    if not has_held_out(ds):
        raise InputError("this result has no held-out set; give the recorder held_out=(inputs, labels)")
    return _with_prefix(ds, HELD_OUT, "held out")


def parts(ds: "xr.Dataset") -> tuple[str, ...]:
    """Return the parts of the inputs that a run measured apart, the first one first."""
    return tuple(config_of(ds).get("measure", {}).get("parts", ["all"]))


def part(ds: "xr.Dataset", name: str) -> "xr.Dataset":
    """Return what was measured on a part of the inputs as a result of its own, which every figure and table takes.

    Args:
        ds: the result of a run.
        name: "all", "train" or "test"; see ``measure.parts`` of the configuration.

    Raises:
        InputError: when that part was not measured.
    """
    measured = parts(ds)
    if name not in measured:
        raise InputError(f"part '{name}' was not measured in this result; it holds: {', '.join(measured)}")
    if name == measured[0]:
        return ds.drop_vars([str(key) for key in ds.data_vars if str(key).startswith(tuple(PARTS.values()))])
    return _with_prefix(ds, PARTS[name], {"all": "all inputs", "train": "trained on", "test": "held out"}[name])


def _with_prefix(ds: "xr.Dataset", prefix: str, title: str) -> "xr.Dataset":
    """Return what stands under a prefix as a result of its own, without what was measured on other inputs."""
    names = [str(name) for name in ds.data_vars if str(name).startswith(prefix)]
    others = [str(name) for name in ds.data_vars if "epoch" in ds[name].dims and str(name) not in names]
    own = ds.drop_vars(others).rename({name: name.removeprefix(prefix) for name in names})
    attrs = {key.removeprefix(prefix): value for key, value in ds.attrs.items() if key.startswith(prefix)}
    own["order_violation"] = order_violation(own["information"])
    return describe(own.assign_attrs(attrs, title=f"{ds.attrs.get('title', 'result')}, {title}"))


def order_violation(information: "xr.DataArray") -> "xr.DataArray":
    """How far any layer has more information than the layer before it, in bits; 0 where none has.

    For one fixed quantisation of the whole chain I(X;T1) ≥ I(X;T2) ≥ … holds. Layers that are binned or noised
    separately need not obey it: a violation is a property of the definition, not an error.
    """
    if information.sizes["layer"] == 1:
        return 0 * information.isel(layer=0, drop=True)
    return information.diff("layer").max("layer").clip(min=0)


class Compression(NamedTuple):
    """What a layer loses of its information, in bits.

    Attributes:
        mean: mean over members of the value at the epoch of the largest mean, minus that at the last epoch.
        half_width: half the 95 % interval of it over members (Student's t); NaN for one member.
        rise: the largest mean minus the mean at the first epoch.
    """

    mean: float
    half_width: float
    rise: float


def compression(values: Float[np.ndarray, "member epoch"]) -> Compression:
    """Return how much of a layer's information is lost from the peak of its mean over members to the end."""
    mean = mean_known(values)
    peak = int(np.argmax(np.nan_to_num(mean, nan=-np.inf)))
    lost = values[:, peak] - values[:, -1]
    return Compression(*mean_interval(lost[np.isfinite(lost)]), float(mean[peak] - mean[0]))


def mean_known(values: Float[np.ndarray, "member epoch"]) -> Float[np.ndarray, " epoch"]:
    """Mean over members that have a number; NaN where none has."""
    known = np.isfinite(values)
    counts = known.sum(axis=0)
    totals = np.where(known, values, 0).sum(axis=0)
    return np.where(counts > 0, totals / np.maximum(counts, 1), np.nan)


def mean_interval(values: Float[np.ndarray, " member"]) -> tuple[float, float]:
    """Mean, and half the width of its 95 % interval by Student's t; NaN where there are too few values."""
    from scipy import stats

    if len(values) == 0:
        return np.nan, np.nan
    if len(values) == 1:
        return float(values[0]), np.nan
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(half)


def normalised_gradients(ds: "xr.Dataset") -> "xr.Dataset":
    """Return ``gradient_mean`` and ``gradient_std`` divided by the norm of the layer's kernel, and their ratio.

    As they are recorded, their ratio m/s is the signal-to-noise ratio of Saxe et al. (2018); divided by the norm after
    the epoch they are what figure 4 of Shwartz-Ziv & Tishby (2017) shows. The ratio is the same in both. NaN where an
    epoch has one mini-batch only: then there is no spread.

    Raises:
        InputError: for a result without gradients.
    """
    import xarray as xr

    if "gradient_mean" not in ds:
        raise InputError("this result holds no gradients; they are recorded where infoplane trains")
    mean, std = ds["gradient_mean"], ds["gradient_std"]
    parts = {"gradient_mean": mean / ds["weight_norm"], "gradient_std": std / ds["weight_norm"]}
    return xr.Dataset(parts | {"signal_to_noise": mean / std}, attrs=ds.attrs)


def new(
    coords: Mapping[str, Sequence[Any] | Int[np.ndarray, " value"]],
    variables: Mapping[str, tuple[tuple[str, ...], np.ndarray]],
    attrs: Mapping[str, Any],
) -> "xr.Dataset":
    """Build a described data set from arrays and their dimensions."""
    import xarray as xr

    labels = {name: (name, np.asarray(values)) for name, values in coords.items()}
    return describe(xr.Dataset(dict(variables), coords=labels, attrs=dict(attrs)))
