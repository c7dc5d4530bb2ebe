"""Deep PyTorch models: blocks by default, patterns at any level, exclusions."""

import pytest

from infoplane.errors import InputError

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")

from torch import nn  # noqa: E402

from infoplane.record.torch import TorchProbe  # noqa: E402

pytestmark = pytest.mark.framework


class Block(nn.Module):
    """A residual block as of ResNet-18, with a projection where the number of channels changes."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.conv1, self.bn1, self.relu = nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU()
        self.conv2, self.bn2 = nn.Conv2d(n_out, n_out, 3, padding=1), nn.BatchNorm2d(n_out)
        self.downsample = None
        if n_in != n_out:
            self.downsample = nn.Sequential(nn.Conv2d(n_in, n_out, 1), nn.BatchNorm2d(n_out))

    def forward(self, x):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """The module tree of ResNet-18 with few channels."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1, self.relu = nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU()
        stages = [nn.Sequential(Block(max(2, n), n + 1), Block(n + 1, n + 1)) for n in range(1, 5)]
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(5, 3)

    def forward(self, x):
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.relu(self.bn1(self.conv1(x)))))))
        return self.fc(self.avgpool(x).flatten(1))


BLOCKS = [f"layer{stage}.{block}" for stage in range(1, 5) for block in (0, 1)]


def names(layers=None):
    torch.manual_seed(0)
    with TorchProbe(ResNet(), layers).measuring() as evaluate:
        return list(evaluate(torch.randn(4, 1, 5, 5)))


def test_a_deep_model_is_measured_at_its_blocks_by_default():
    assert names() == ["conv1", "relu", *BLOCKS, "avgpool", "fc"]


def test_all_takes_every_layer():
    found = names("all")
    assert len(found) == 3 + 8 * 6 + 3 * 2 + 2  # stem, blocks with two calls of relu, projections, head
    assert "layer2.0.downsample.1" in found


@pytest.mark.parametrize("pattern", ["layer?.?", "layer*.?", "layer[1-4].[01]"])
def test_patterns_are_compared_level_by_level(pattern):
    assert names(pattern) == BLOCKS


def test_patterns_fit_modules_at_any_level():
    assert names("layer?") == ["layer1", "layer2", "layer3", "layer4"]
    assert names("layer?.?.conv2") == [f"{block}.conv2" for block in BLOCKS]
    assert names("*conv2") == [f"{block}.conv2" for block in BLOCKS]  # no level fits: "*" stands for several
    assert names("layer3.*") == [name for name in names("all") if name.startswith("layer3.")]


def test_what_is_excluded_is_left_out_with_all_inside():
    assert names("!relu") == ["conv1", *BLOCKS, "avgpool", "fc"]
    assert names(["!conv1", "!layer?.0"]) == ["relu", *BLOCKS[1::2], "avgpool", "fc"]
    assert names(["all", "!layer?.?", "!bn1"]) == ["conv1", "relu", "avgpool", "fc"]
    assert names(["layer?.?", "!layer4"]) == BLOCKS[:6]


def test_exclusions_that_fit_nothing_or_all_are_refused():
    with pytest.raises(InputError, match="'pos' fits no layer"):
        names("!pos")
    with pytest.raises(InputError, match="got exclusions of all: fc"):
        names(["fc", "!fc"])


def test_blocks_of_a_module_list_are_the_residual_stream():
    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.norm, self.head = nn.Linear(6, 4), nn.LayerNorm(4), nn.Linear(4, 2)
            self.h = nn.ModuleList(nn.TransformerEncoderLayer(4, 1, 8, batch_first=True) for _ in range(4))

        def forward(self, x):
            x = self.embed(x)
            for block in self.h:
                x = block(x)
            return self.head(self.norm(x))

    with TorchProbe(Stack()).measuring() as evaluate:
        assert list(evaluate(torch.randn(4, 3, 6))) == ["embed", "h.0", "h.1", "h.2", "h.3", "head"]


def test_a_small_model_with_blocks_is_measured_at_every_layer():
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.Tanh()))
    with TorchProbe(model).measuring() as evaluate:
        assert list(evaluate(torch.randn(4, 4))) == ["0", "1.0", "1.1"]
