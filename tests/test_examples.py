"""The examples run as they stand, from a folder of the user's own, and end in a picture."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.framework
EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("pytorch_digits", "torch"),
        ("keras_fit", "keras"),
        ("jax_function", "jax"),
        ("vae_code", "torch"),
        ("resnet_plane", "torch"),
        ("hugging_face_checkpoints", "transformers"),
    ],
)
def test_an_example_ends_in_a_picture(tmp_path, name, needs):
    if importlib.util.find_spec(needs) is None:  # importing Keras here would choose its back end for other tests
        pytest.skip(f"needs the extra '{needs}'")
    picture = tmp_path / "picture.png"
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", picture], capture_output=True, text=True, cwd=tmp_path, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]


def test_ten_lines_measure_the_checkpoints_of_hugging_face():
    text = (EXAMPLES / "hugging_face_checkpoints.py").read_text()
    call = text[text.index("    ds = ip.measure_checkpoints(") : text.index("ip.plot_plane")]
    assert len(call.splitlines()) <= 10


@pytest.mark.parametrize("name", ["pytorch_digits", "keras_fit", "jax_function"])
def test_an_example_is_short(name):
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) < 40


def blocks_of_the_readme():
    text = (EXAMPLES.parent / "README.md").read_text()
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_readme_measures_a_users_own_model_as_printed(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand((200, 4), generator=generator)
    labels = (inputs.sum(1) > 2).long()
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

    def train_one_epoch(model):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()

    names = {"inputs": inputs, "labels": labels, "model": model, "train_one_epoch": train_one_epoch}
    exec(blocks_of_the_readme()[0], names)
    assert names["recorder"].results().sizes["epoch"] > 2
    assert (tmp_path / "plane.png").read_bytes().startswith(b"\x89PNG")


def test_the_readme_estimates_half_a_bit_as_printed(capsys):
    names = {}
    exec(blocks_of_the_readme()[1], names)
    estimate = names["estimate"]
    assert estimate.interval[0] < 0.5 < estimate.interval[1]
    assert 0 < float(capsys.readouterr().out.splitlines()[1]) < 1


def test_each_way_in_takes_at_most_fifteen_lines():
    assert len(blocks_of_the_readme()) == 2
    assert all(len(block.splitlines()) <= 15 for block in blocks_of_the_readme())
