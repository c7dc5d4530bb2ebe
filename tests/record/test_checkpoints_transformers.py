"""Checkpoints of Hugging Face: tiny models from their configurations, saved as the library saves them."""

import importlib.util
import json

import pytest

import infoplane as ip
from infoplane.errors import InputError
from infoplane.record import _formats
from infoplane.record._finding import find_checkpoints
from infoplane.record._layouts import checkpoints_in

if not all(map(importlib.util.find_spec, ("torch", "transformers", "safetensors"))):
    pytest.skip("needs torch, transformers and safetensors", allow_module_level=True)
import torch
import transformers
from safetensors.torch import load_file

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

SMALL = {"vocab_size": 50}
BERT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, **SMALL}


def gpt2():
    config = transformers.GPT2Config(
        n_embd=16, n_layer=2, n_head=2, n_positions=16, bos_token_id=1, eos_token_id=1, **SMALL
    )
    return transformers.GPT2LMHeadModel(config)


def bert():
    return transformers.BertForMaskedLM(transformers.BertConfig(max_position_embeddings=16, **BERT))


def classifier():
    return transformers.BertForSequenceClassification(transformers.BertConfig(max_position_embeddings=16, **BERT))


def t5():
    config = transformers.T5Config(d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, **SMALL)
    return transformers.T5ForConditionalGeneration(config)


MODELS = {"GPT-2": gpt2, "BERT": bert, "BERT classifier": classifier, "T5": t5}


@pytest.fixture(autouse=True)
def quiet():
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()


@pytest.fixture
def saved(tmp_path):
    """Save a model with random weights as ``checkpoint-STEP`` of a trainer; return the model."""

    def save(make, step=500, size="1GB"):
        torch.manual_seed(step)
        model = make().eval()
        folder = tmp_path / f"checkpoint-{step}"
        model.save_pretrained(folder, max_shard_size=size)
        torch.save({"state": {}, "param_groups": []}, folder / "optimizer.pt")
        torch.save({}, folder / "scheduler.pt")
        (folder / "trainer_state.json").write_text(json.dumps({"global_step": step, "epoch": step / 500}))
        return model

    return save


@pytest.mark.parametrize("size", ["1GB", "10KB"])
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
def test_every_weight_is_loaded_from_one_file_and_from_shards(make, size, saved, tmp_path):
    model = saved(make, size=size)
    (checkpoint,) = checkpoints_in(tmp_path)
    assert checkpoint.path.name == ("model.safetensors" if size == "1GB" else "model.safetensors.index.json")
    loaded = _formats.load_into(make(), checkpoint.path)
    state = loaded.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("size", ["1GB", "10KB"])
def test_the_loaded_model_is_the_one_of_the_library(size, saved, tmp_path):
    saved(gpt2, size=size)
    theirs = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "checkpoint-500").eval()
    ours = _formats.load_into(gpt2(), checkpoints_in(tmp_path)[0].path).eval()
    tokens = torch.arange(24).reshape(3, 8)
    with torch.no_grad():
        assert torch.equal(theirs(tokens).logits, ours(tokens).logits)


@pytest.mark.parametrize("make", [gpt2, bert, t5])
def test_tied_weights_stay_tied_and_are_stored_once(make, saved, tmp_path):
    model = saved(make)
    path = checkpoints_in(tmp_path)[0].path
    assert len(load_file(path)) < len(model.state_dict())
    loaded = _formats.load_into(make(), path)
    assert loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight


def test_the_base_model_is_loaded_from_the_checkpoint_of_a_classifier(saved, tmp_path):
    model = saved(classifier)
    loaded = _formats.load_into(transformers.BertModel(model.config), checkpoints_in(tmp_path)[0].path)
    state = loaded.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in model.bert.state_dict().items())


def test_a_head_that_the_checkpoint_lacks_is_refused(saved, tmp_path):
    model = saved(lambda: transformers.BertModel(classifier().config))
    path = checkpoints_in(tmp_path)[0].path
    with pytest.raises(InputError, match=r"missing 'classifier\.weight', 'classifier\.bias'"):
        _formats.load_into(transformers.BertForSequenceClassification(model.config), path)


@pytest.mark.parametrize("prefix", ["model.", "module.", "_orig_mod.", "module._orig_mod.", "model._orig_mod."])
def test_a_wrapped_gpt2_with_its_tied_weight_stored_twice_or_once_is_loaded(prefix, tmp_path):
    model = gpt2()
    state = {prefix + name: value for name, value in model.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "epoch=3-step=400.ckpt")
    state.pop(f"{prefix}lm_head.weight")
    torch.save({"state_dict": state, "epoch": 4}, tmp_path / "epoch=4-step=500.ckpt")
    for path in find_checkpoints(tmp_path).paths.values():
        loaded = _formats.load_into(gpt2(), path)
        assert torch.equal(loaded.transformer.h[1].mlp.c_fc.weight, model.transformer.h[1].mlp.c_fc.weight)
        assert torch.equal(loaded.lm_head.weight, model.lm_head.weight)


def test_shards_of_torch_are_read_and_a_pickle_among_them_is_not_run(tmp_path):
    model = gpt2()
    folder = tmp_path / "checkpoint-3"
    folder.mkdir()
    names = [name for name in model.state_dict() if name != "lm_head.weight"]
    shards = {name: f"pytorch_model-{1 + place % 2:05d}-of-00002.bin" for place, name in enumerate(names)}
    for shard in set(shards.values()):
        held = {name: model.state_dict()[name] for name in names if shards[name] == shard}
        torch.save(held, folder / shard)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": shards}))
    (checkpoint,) = checkpoints_in(tmp_path)
    loaded = _formats.load_into(gpt2(), checkpoint.path)
    assert torch.equal(loaded.transformer.wpe.weight, model.transformer.wpe.weight)
    torch.save({"transformer.wpe.weight": torch.nn.Linear(1, 1)}, folder / "pytorch_model-00001-of-00002.bin")
    with pytest.raises(InputError, match=r"pytorch_model-00001.*refused, since it holds more than tensors"):
        _formats.read_arrays(checkpoint.path)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_loaded_exactly(dtype, saved, tmp_path):
    model = saved(lambda: gpt2().to(dtype))
    loaded = _formats.load_into(gpt2(), checkpoints_in(tmp_path)[0].path)
    assert torch.equal(loaded.transformer.wte.weight, model.transformer.wte.weight.float())


def test_a_folder_of_a_trainer_is_measured_as_by_hand(saved, tmp_path):
    tokens = torch.randint(50, (40, 6), generator=torch.Generator().manual_seed(0))
    models = {step: saved(gpt2, step) for step in (500, 1000)}
    ds = ip.measure_checkpoints(tmp_path, gpt2, tokens, tokens[:, -1], layers="transformer.ln_f", positions=-1)
    assert ds["epoch"].values.tolist() == [500, 1000]
    assert ds.attrs["epoch_unit"] == "update"
    for step, model in models.items():
        with torch.no_grad():
            last = model.transformer(tokens).last_hidden_state[:, -1]
        exact = ip.layer_information(last.numpy(), tokens[:, -1])
        got = ds["information"].sel(epoch=step).values.ravel()
        assert got == pytest.approx([exact.input.bits, exact.label.bits], abs=1e-6)
