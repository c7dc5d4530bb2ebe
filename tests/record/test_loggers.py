"""Rows go to a logger as they are measured."""

import numpy as np
import pytest

import infoplane as ip

pytestmark = pytest.mark.framework
torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("tensorboard", reason="needs the package 'tensorboard'")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_reads_back_the_numbers_that_were_measured(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    inputs = np.random.default_rng(0).standard_normal((64, 3))
    with SummaryWriter(tmp_path) as writer:
        recorder = ip.Recorder(
            inputs,
            inputs[:, 0] > 0,
            ["binning", "kde"],
            on_row=lambda row: writer.add_scalar(f"{row.estimator}/{row.variable}/{row.layer}", row.bits, row.epoch),
        )
        for epoch in range(3):
            recorder.step(epoch, lambda batch, epoch=epoch: {"hidden": np.tanh(batch * (1 + epoch))})
    events = EventAccumulator(str(tmp_path)).Reload()
    ds = recorder.results().sel(member=0, layer="hidden")
    assert len(events.Tags()["scalars"]) == 4
    for estimator in ("binning", "kde"):
        for variable in ("input", "label"):
            read = events.Scalars(f"{estimator}/{variable}/hidden")
            known = ds["information"].sel(estimator=estimator, variable=variable).values
            assert [event.step for event in read] == [0, 1, 2]
            assert [event.value for event in read] == pytest.approx(list(known), rel=1e-6)  # it stores float32
