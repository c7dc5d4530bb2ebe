"""Draw the information plane of a small GPT-2 from its checkpoints; the task is the sum of two numbers modulo 11."""

import sys
import tempfile

import torch
import transformers

import infoplane as ip

PLUS, EQUALS, N = 11, 12, 11
transformers.set_seed(0)
config = transformers.GPT2Config(
    vocab_size=13, n_positions=8, n_embd=16, n_layer=2, n_head=4, bos_token_id=None, eos_token_id=None
)
first, second = torch.meshgrid(torch.arange(N), torch.arange(N), indexing="ij")
sums = (first + second).flatten() % N
questions = torch.stack(
    [first.flatten(), torch.full((N * N,), PLUS), second.flatten(), torch.full((N * N,), EQUALS)], 1
)
tokens = torch.cat([questions, sums[:, None]], 1)
answers = torch.where(torch.arange(5) == 4, tokens, -100)  # only the sum is learned
rows = [{"input_ids": row, "labels": answer} for row, answer in zip(tokens, answers, strict=True)]

with tempfile.TemporaryDirectory() as folder:
    settings = transformers.TrainingArguments(
        folder, max_steps=120, save_steps=20, per_device_train_batch_size=64, learning_rate=1e-2, use_cpu=True,
        report_to="none", disable_tqdm=True, logging_strategy="no", dataloader_pin_memory=False,
    )  # fmt: skip
    trainer = transformers.Trainer(transformers.GPT2LMHeadModel(config), settings, train_dataset=rows)
    trainer.train()

    ds = ip.measure_checkpoints(
        folder,  # checkpoint-20/, checkpoint-40/ … written by the Trainer
        lambda: transformers.GPT2LMHeadModel(config),
        {"input_ids": questions},
        sums,
        estimators={"name": "kde", "variance": 2.0, "relative": True},
        layers="transformer.h.?",
        positions=-1,
    )
ip.plot_plane(ds).savefig(sys.argv[1] if len(sys.argv) > 1 else "hugging-face-checkpoints.png", dpi=150)
