"""Models as people use them, each recorded by at most ten lines of the user's own code (between the marks)."""

import inspect

import numpy as np
import pytest

import infoplane as ip

pytestmark = pytest.mark.framework
rng = np.random.default_rng(0)


def lines_of_recording(test):
    """Number of lines between the marks of a test."""
    body = inspect.getsource(test).split("# recording\n")[1].split("# end\n")[0]
    return len([line for line in body.splitlines() if line.strip()])


def test_a_resnet_of_transformers():
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[2, 2, 2, 2], layer_type="basic", num_labels=4
    )
    model = transformers.ResNetForImageClassification(config)
    images, labels = torch.randn(40, 3, 32, 32), torch.arange(40) % 4
    # recording
    blocks = "resnet.encoder.stages.?.layers.?"  # by default the four stages
    plane = ip.plane(model, images, labels, layers=blocks, channels="pool", rows=30)
    # end
    assert plane.dataset["layer"].values.tolist() == [
        f"resnet.encoder.stages.{stage}.layers.{block}" for stage in range(4) for block in range(2)
    ]
    assert plane.dataset.attrs["n_samples"] == 30
    assert "initial-statistics" in str(plane)


def test_gpt2_with_random_weights():
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=50, n_positions=16, n_embd=24, n_head=2))
    tokens = torch.randint(0, 50, (60, 8))
    # recording
    recorder = ip.Recorder({"input_ids": tokens}, tokens[:, 0] % 5, schedule="every")
    with recorder.attach(model, positions=-1):
        recorder.step(0)
    ds = recorder.results()
    # end
    names = [str(name) for name in ds["layer"].values]
    assert [name for name in names if ".h." in name] == [f"transformer.h.{block}" for block in range(12)]
    assert ds.attrs["output_layer"] == "lm_head"


def test_bert_in_a_loop_of_the_trainer(tmp_path):
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
    pytest.importorskip("accelerate", reason="needs accelerate")
    config = transformers.BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, num_labels=3
    )
    model = transformers.BertForSequenceClassification(config)
    tokens, labels = torch.randint(0, 40, (48, 6)), torch.arange(48) % 3
    rows = [{"input_ids": row, "labels": label} for row, label in zip(tokens, labels, strict=True)]
    settings = transformers.TrainingArguments(
        str(tmp_path), max_steps=4, per_device_train_batch_size=16, use_cpu=True, report_to="none", disable_tqdm=True,
        logging_strategy="no", save_strategy="no", dataloader_pin_memory=False,
    )  # fmt: skip
    # recording
    recorder = ip.Recorder({"input_ids": tokens}, labels, schedule=2)

    class Record(transformers.TrainerCallback):
        def on_step_end(self, args, state, control, **rest):
            recorder.step(state.global_step)

    with recorder.attach(model, "bert.encoder.layer.?", positions=0):
        recorder.step(0)
        transformers.Trainer(model, settings, train_dataset=rows, callbacks=[Record()]).train()
    # end
    ds = recorder.results()
    assert ds["epoch"].values.tolist() == [0, 2, 4]
    assert ds["layer"].values.tolist() == ["bert.encoder.layer.0", "bert.encoder.layer.1"]


def test_a_gru_of_packed_sequences():
    torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
    nn = torch.nn

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = nn.GRU(3, 8, batch_first=True), nn.Linear(8, 2)

        def forward(self, x, lengths):
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return self.head(self.rnn(packed)[1][-1])

    model, x, lengths = Classifier(), torch.randn(50, 7, 3), torch.randint(1, 8, (50,))
    # recording
    plane = ip.plane(model, (x, lengths), lengths > 4)
    # end
    assert plane.dataset["layer"].values.tolist() == ["rnn.h", "head"]
    assert "packed sequence" in plane.dataset.attrs["left_out"]


def test_a_graph_network():
    torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
    geometric = pytest.importorskip("torch_geometric.nn", reason="needs torch_geometric")
    model = geometric.GCN(6, 8, 2, 3)
    nodes, edges, labels = torch.randn(40, 6), torch.randint(0, 40, (2, 120)), torch.arange(40) % 3
    # recording
    plane = ip.plane(model, nodes, labels, batch_size="all", arguments={"edge_index": edges})
    # end
    assert {"convs.0.lin", "convs.1.lin"} <= set(map(str, plane.dataset["layer"].values)) or (
        {"convs.0", "convs.1"} <= set(map(str, plane.dataset["layer"].values))
    )
    assert np.isfinite(plane.dataset["information"]).all()


def test_a_transformer_of_flax():
    pytest.importorskip("flax", reason="needs the extra 'flax'")
    import jax
    from flax import nnx

    class Block(nnx.Module):
        def __init__(self, rngs):
            self.norm1, self.norm2 = nnx.LayerNorm(8, rngs=rngs), nnx.LayerNorm(8, rngs=rngs)
            self.attention = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs)
            self.up, self.down = nnx.Linear(8, 16, rngs=rngs), nnx.Linear(16, 8, rngs=rngs)

        def __call__(self, x):
            x = x + self.attention(self.norm1(x))
            return x + self.down(nnx.gelu(self.up(self.norm2(x))))

    class Transformer(nnx.Module):
        def __init__(self, rngs):
            self.embed = nnx.Embed(20, 8, rngs=rngs)
            self.blocks = nnx.List([Block(rngs) for _ in range(5)])
            self.norm, self.head = nnx.LayerNorm(8, rngs=rngs), nnx.Linear(8, 3, rngs=rngs)

        def __call__(self, tokens):
            x = self.embed(tokens)
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x))

    model, tokens = Transformer(nnx.Rngs(0)), jax.random.randint(jax.random.key(0), (40, 6), 0, 20)
    # recording
    plane = ip.plane(model, tokens, np.arange(40) % 3, positions="mean")
    # end
    blocks = [f"blocks.{block}" for block in range(5)]  # 27 modules: blocks by default
    assert plane.dataset["layer"].values.tolist() == ["embed", *blocks, "head"]


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]


@pytest.mark.parametrize("test", TESTS, ids=[test.__name__ for test in TESTS])
def test_the_recording_takes_at_most_ten_lines(test):
    assert lines_of_recording(test) <= 10
