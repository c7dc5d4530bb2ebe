"""Measure the information in the code of a variational autoencoder on scikit-learn's 8 × 8 digits."""

import sys

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import infoplane as ip

EPOCHS = 60


class Autoencoder(nn.Module):
    """Encodes an image as a Gaussian of four coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.Tanh())
        self.mean, self.log_variance = nn.Linear(64, 4), nn.Linear(64, 4)
        self.code, self.decoder = nn.Identity(), nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the restored images, and the mean and logarithm of the variance of their codes."""
        hidden = self.encoder(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        code = self.code(mean + (log_variance / 2).exp() * torch.randn_like(mean))  # a module: measurable
        return self.decoder(code), mean, log_variance


torch.manual_seed(0)
pixels, digits = load_digits(return_X_y=True)
images = torch.tensor(pixels / 16, dtype=torch.float32)
model = Autoencoder()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for _ in range(EPOCHS):
    restored, mean, log_variance = model(images)
    rate = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
    loss = 20 * (restored - images).square().sum(dim=1).mean() + rate
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

rows = slice(0, 200)
plane = ip.plane(model, images[rows], digits[rows], layers=["mean", "code", "decoder.0"])  # "code": stochastic
with torch.no_grad():
    _, mean, log_variance = model(images[rows])
    draws = np.stack([(mean + (log_variance / 2).exp() * torch.randn_like(mean)).numpy() for _ in range(20)])
code = ip.gaussian_encoder(mean, log_variance.exp(), digits[rows])
print(f"I(X;Z) = {code.input.bits:.2f} bits, between {code.input.lower:.2f} and {code.input.upper:.2f}")
print(f"I(X;Z) = {ip.as_if_random(draws).input.bits:.2f} bits by nearest neighbors of 20 draws")
plane.figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "vae-code.png", dpi=150)
