"""The same mini-batches and initial weights through PyTorch end in the same weights."""

import jax
import numpy as np
import pytest

from infoplane.nets import mlp
from infoplane.nets.network import Together
from infoplane.nets.train import Group, Trainer, epoch_batches, make_optimiser

torch = pytest.importorskip("torch", reason="PyTorch is not installed; 'pip install infoplane[torch]'")
pytestmark = pytest.mark.framework

SIZES, MEMBER, SEED, BATCH, N_EPOCHS = (12, 10, 7, 5, 4, 3, 2), 2, 0, 16, 5
X = np.random.default_rng(0).normal(size=(60, SIZES[0])).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)  # 60 rows: four mini-batches an epoch, the last with 12 rows

OPTIMISERS = {
    "adam": (make_optimiser("adam", 4e-4), lambda groups: torch.optim.Adam(groups, lr=4e-4)),
    "adam, decay": (
        make_optimiser("adam", 4e-4, weight_decay=0.02),
        lambda groups: torch.optim.Adam([groups[0] | {"weight_decay": 0.02}, groups[1]], lr=4e-4),
    ),
    "sgd": (make_optimiser("sgd", 0.05), lambda groups: torch.optim.SGD(groups, lr=0.05)),
    "momentum": (
        make_optimiser("momentum", 0.02, momentum=0.9),
        lambda groups: torch.optim.SGD(groups, lr=0.02, momentum=0.9),
    ),
}


def initial_weights():
    return mlp.init_weights(SIZES, "fan-in", "keras", SEED, [MEMBER, MEMBER + 1])


def trained_here(optimiser, activation):
    """Weights of the member, trained beside another one."""
    rows, none = np.arange(len(X)), np.zeros(0, np.int64)
    options = {"network": Together(activation), "optimiser": optimiser, "batch_size": BATCH, "seed": SEED}
    trainer = Trainer(np.ascontiguousarray(X.T), Y, rows, none, **options)
    group = Group(trainer, [MEMBER, MEMBER + 1], jax.devices()[0])
    state, _ = group.advance(group.start(initial_weights()), 0, N_EPOCHS, 10)
    return [(np.asarray(kernel[0]), np.asarray(bias[0, :, 0])) for kernel, bias in state.weights]


def trained_by_torch(make, activation, dtype):
    layers = []
    for kernel, bias in initial_weights():
        linear = torch.nn.Linear(kernel.shape[2], kernel.shape[1], dtype=dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(kernel[0]))
            linear.bias.copy_(torch.from_numpy(bias[0, :, 0]))
        layers += [linear, activation()]
    net = torch.nn.Sequential(*layers[:-1])
    linears = layers[::2]
    optimiser = make([{"params": [line.weight for line in linears]}, {"params": [line.bias for line in linears]}])
    x, y = torch.from_numpy(X).to(dtype), torch.from_numpy(Y)
    orders = epoch_batches(SEED, (MEMBER,), 0, np.arange(len(X)), BATCH)[:N_EPOCHS, 0, : len(X)]
    for order in orders:
        for rows in torch.from_numpy(order.astype(np.int64)).split(BATCH):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimiser.step()
    return [(line.weight.detach().numpy(), line.bias.detach().numpy()) for line in linears]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_twenty_steps_end_in_the_weights_of_torch(name, dtype):
    optimiser, make = OPTIMISERS[name]
    ours, theirs = trained_here(optimiser, "tanh"), trained_by_torch(make, torch.nn.Tanh, dtype)
    start = [(kernel[0], bias[0, :, 0]) for kernel, bias in initial_weights()]
    for (kernel, bias), (their_kernel, their_bias), (first, _) in zip(ours, theirs, start, strict=True):
        # 20 steps round weights of order 1 by 6e-8 each; Adam magnifies the rounding of small gradients
        np.testing.assert_allclose(kernel, their_kernel, atol=1e-5)
        np.testing.assert_allclose(bias, their_bias, atol=1e-5)
        assert np.abs(kernel - first).max() > 1e-3  # a hundred times the tolerance


TORCH_ACTIVATIONS = {
    "relu": torch.nn.ReLU,
    "linear": torch.nn.Identity,
    "softsign": torch.nn.Softsign,
    "softplus": torch.nn.Softplus,
    "elu": torch.nn.ELU,
    "swish": torch.nn.SiLU,
    "leaky-relu": torch.nn.LeakyReLU,
}


@pytest.mark.parametrize("name", TORCH_ACTIVATIONS)
def test_every_activation_trains_as_in_torch(name):
    optimiser, make = OPTIMISERS["sgd"]
    ours, theirs = (
        trained_here(optimiser, name),
        trained_by_torch(make, TORCH_ACTIVATIONS[name], torch.float64),
    )
    for (kernel, bias), (their_kernel, their_bias) in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(kernel, their_kernel, atol=1e-5)
        np.testing.assert_allclose(bias, their_bias, atol=1e-5)
