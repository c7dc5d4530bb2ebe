"""Records the information plane of a Lightning training; the record goes into its checkpoints."""

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from infoplane.errors import InputError
from infoplane.record.recorder import Recorder

if TYPE_CHECKING:
    import lightning.pytorch as pl
else:  # one package under two names; either's Trainer takes the callback
    try:
        import lightning.pytorch as pl
    except ModuleNotFoundError:
        import pytorch_lightning as pl

CURVES = {
    "loss": ("train_loss", "training_loss", "loss"),
    "accuracy": ("train_accuracy", "train_acc", "training_accuracy", "training_acc", "accuracy", "acc"),
    "test_loss": ("val_loss", "valid_loss", "validation_loss", "test_loss"),
    "test_accuracy": ("val_accuracy", "val_acc", "valid_accuracy", "valid_acc", "validation_accuracy",
                      "validation_acc", "test_accuracy", "test_acc"),
}  # fmt: skip
"""Names under which trainings log their curves, ``/`` standing for ``_`` too; the first that is there is taken."""


class InfoPlane(pl.Callback):
    """Measures the model at the start of a fit and after its epochs, as the recorder's schedule says.

    For example::

        recorder = ip.Recorder(images, digits, schedule="log", epochs=50)
        trainer = lightning.Trainer(max_epochs=50, callbacks=[InfoPlane(recorder, model="network")])
        trainer.fit(module, train_loader, val_loader)
        ip.plot_plane(recorder.results())

    Epoch 0 is the untouched initialisation, epoch k comes after k epochs of training; the last one is measured
    whatever the schedule says. Losses and accuracies that the training logs under usual names (``train_loss``,
    ``val_acc``, ``val/loss``…) are recorded beside; where a training logs steps only, the number is that of the last
    step. Checkpoints carry the record: a fit that resumes from one goes on with it. The sanity check before a fit
    is not measured. Of several processes the first one measures. Mixed precision is left out of the measurement: the
    weights are used as they are.

    Args:
        recorder: what is measured, and when. Its inputs may lie on any device.
        layers: which layers, as in `infoplane.record.torch.TorchProbe`; names begin inside ``model``.
        model: name of the module's attribute that holds the network, dots allowed; None for the module itself,
            whose ``forward`` is then called.
        options: ``channels`` and ``positions``, as in `infoplane.record.torch.TorchProbe`.
    """

    def __init__(self, recorder: Recorder, layers: Any = None, *, model: str | None = None, **options: Any) -> None:
        self.recorder, self.layers, self.model = recorder, layers, model
        self.options = {"move_inputs": True, **options}
        self._epoch: int | None = None
        self._is_measured = True
        self._attached = contextlib.ExitStack()

    @property
    def state_key(self) -> str:
        """Name of the record in a checkpoint: several recorders have several names."""
        return f"InfoPlane[{self.recorder.name}]"

    def state_dict(self) -> dict[str, Any]:
        """Return the record, for the checkpoint."""
        return {"epoch": self._epoch, "record": self.recorder.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on with the record of a checkpoint.

        Raises:
            InputError: when it is of other inputs, labels or estimators.
        """
        self.recorder.load_state_dict(state_dict["record"])
        self._epoch = state_dict["epoch"]

    def on_train_start(self, trainer: "pl.Trainer", pl_module: "pl.LightningModule") -> None:
        """Attach to the network, and measure it as it is before the first step of this fit.

        Raises:
            InputError: when there is no network to be measured, or no such layers.
        """
        if not trainer.is_global_zero:
            return
        network = _network(pl_module, self.model)
        self._attached.enter_context(self.recorder.attach(network, self.layers, **self.options))
        if self._epoch is None or trainer.current_epoch > self._epoch:
            self._step(trainer.current_epoch)

    def on_train_epoch_end(self, trainer: "pl.Trainer", pl_module: "pl.LightningModule") -> None:
        """Measure, if the epoch is due or the last one."""
        if not trainer.is_global_zero:
            return
        epoch = trainer.current_epoch + 1
        self._step(epoch, curves=_curves(trainer.callback_metrics), force=epoch == trainer.max_epochs)

    def on_train_end(self, trainer: "pl.Trainer", pl_module: "pl.LightningModule") -> None:
        """Measure the end of a training that stopped early, and let go of the network."""
        if trainer.is_global_zero and self._epoch is not None and not self._is_measured:
            self._step(self._epoch, force=True)
        self._attached.close()

    def on_exception(self, trainer: "pl.Trainer", pl_module: "pl.LightningModule", exception: BaseException) -> None:
        """Let go of the network; what was recorded is kept."""
        self._attached.close()

    def _step(self, epoch: int, **options: Any) -> None:
        self._is_measured = self.recorder.step(epoch, **options)
        self._epoch = epoch


def _network(module: "pl.LightningModule", name: str | None) -> Any:
    """Return the network inside a Lightning module."""
    kind, known = type(module).__name__, f" (attributes: {', '.join(name for name, _ in module.named_children())})"
    if name is None:
        if type(module).forward.__qualname__ == "LightningModule.forward":  # not overridden
            raise InputError(f"{kind} has no forward; name the attribute that holds its network: model=…{known}")
        return module
    try:
        return module.get_submodule(name)
    except AttributeError:
        raise InputError(f"model='{name}' is no module of {kind}{known}") from None


def _curves(logged: Mapping[str, Any]) -> dict[str, float]:
    """Return the curves that a training logs; a mean over the epoch goes before its last step."""
    plain = {name.replace("/", "_").lower(): float(value) for name, value in logged.items()}
    found: dict[str, float] = {}
    for curve, names in CURVES.items():
        candidates = (plain.get(f"{name}{suffix}") for name in names for suffix in ("_epoch", ""))
        value = next((value for value in candidates if value is not None), None)
        if value is not None:
            found[curve] = value
    return found
