"""The information plane of a ResNet-18 with random weights: blocks by default, on some of the images."""

import sys

import torch
from torch import nn

import infoplane as ip


class Block(nn.Module):
    """Two convolutions and the stream around them."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out)
        self.conv2, self.bn2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False), nn.BatchNorm2d(n_out)
        self.relu, self.downsample = nn.ReLU(inplace=True), nn.Sequential()
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the stream with what the block adds."""
        hidden = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(hidden + self.downsample(x))


class ResNet18(nn.Module):
    """ResNet-18 for images of 32 × 32 (He et al. 2016), without the first pooling."""

    def __init__(self, n_classes: int = 10) -> None:
        super().__init__()
        self.conv1, self.bn1, self.relu = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()
        widths = [64, 64, 128, 256, 512]
        for stage in range(1, 5):
            first = Block(widths[stage - 1], widths[stage], 1 if stage == 1 else 2)
            setattr(self, f"layer{stage}", nn.Sequential(first, Block(widths[stage], widths[stage], 1)))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(512, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        x = self.relu(self.bn1(self.conv1(x)))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return self.fc(self.avgpool(x).flatten(1))


if __name__ == "__main__":
    torch.manual_seed(0)
    model = ResNet18()
    labels = torch.arange(200) % 10
    images = torch.randn(10, 3, 32, 32)[labels] + 2 * torch.randn(200, 3, 32, 32)  # yours
    plane = ip.plane(model, images, labels, channels="mean", rows=64)
    plane.figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "resnet-plane.png", dpi=150)
