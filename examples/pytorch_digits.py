"""Record the information plane of a PyTorch model on scikit-learn's 8 × 8 digits."""

import sys

import torch
from sklearn.datasets import load_digits
from torch import nn

import infoplane as ip

EPOCHS = 60
digits = load_digits()
inputs, labels = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)

torch.manual_seed(0)
model = nn.Sequential()
for number, (n_in, n_out) in enumerate([(64, 24), (24, 8), (8, 4)], start=1):
    model.add_module(f"linear{number}", nn.Linear(n_in, n_out))
    model.add_module(f"hidden{number}", nn.Tanh())
model.add_module("output", nn.Linear(4, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

recorder = ip.Recorder(inputs, labels, "binning", epochs=EPOCHS, name="PyTorch on digits")
with recorder.attach(model, layers="hidden*"):
    recorder.step(0)
    for epoch in range(1, EPOCHS + 1):
        for batch in torch.randperm(len(inputs)).split(32):
            loss = nn.functional.cross_entropy(model(inputs[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        recorder.step(epoch)

figure = ip.plot_plane(recorder.results())
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "pytorch-digits.png", dpi=150)
