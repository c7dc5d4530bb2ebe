"""The examples run as they stand, from a folder of the user's own, and end in a picture."""

import importlib.util
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


def test_the_example_in_the_readme_is_the_file():
    readme = (EXAMPLES.parent / "README.md").read_text()
    assert f"```python\n{(EXAMPLES / 'pytorch_digits.py').read_text()}```" in readme
