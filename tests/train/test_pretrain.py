"""Pretraining of the demo encoder: a folder like one from the hub, the same for the same seed."""

import json
import random
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, AutoTokenizer

from xtr.data.demo.corpus import documents
from xtr.data.demo.world import draw_world
from xtr.fingerprint import file_digest
from xtr.stages.path import DEMO_MODELS
from xtr.train.pretrain import (
    EOS,
    MASK,
    RECIPE,
    RECIPES,
    bucketed_batches,
    build_model,
    corrupt,
    encode,
    pretrain_encoder,
    train_masked,
    train_tokenizer,
)

SCALE = 0.05


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n".join(documents(draw_world(0), 2000)) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def encoder(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    pretrain_encoder(text, folder, seed=0, scale=SCALE, threads=1)
    return folder


@pytest.fixture(scope="module")
def tokenizer(encoder: Path) -> Any:
    return AutoTokenizer.from_pretrained(encoder)


def test_the_folder_loads_offline_as_an_xlm_r(encoder: Path) -> None:
    config = AutoConfig.from_pretrained(encoder)
    assert config.model_type == "xlm-roberta"
    model = AutoModel.from_pretrained(encoder, add_pooling_layer=False)
    longest = torch.full((1, 128), 7)
    assert model(longest).last_hidden_state.shape == (1, 128, RECIPE.hidden)


def test_the_smaller_encoder_has_a_quarter_of_the_weights_and_the_same_words(
    encoder: Path, text: Path, tmp_path: Path
) -> None:
    assert tuple(RECIPES) == DEMO_MODELS
    told: list[tuple[int, ...]] = []
    pretrain_encoder(
        text, tmp_path, seed=0, scale=1e-6, threads=1, name="demo-small", tell=lambda *step: told.append(step)
    )
    assert told == [(step, RECIPE.fewest_steps) for step in range(1, RECIPE.fewest_steps + 1)]
    layers = [
        sum(
            each.numel()
            for name, each in AutoModel.from_pretrained(folder).named_parameters()
            if ".layer." in name
        )
        for folder in (tmp_path, encoder)
    ]
    assert layers[0] == pytest.approx(layers[1] / 4, rel=0.05)
    assert (
        AutoTokenizer.from_pretrained(tmp_path).get_vocab()
        == AutoTokenizer.from_pretrained(encoder).get_vocab()
    )


def test_the_saved_weights_are_the_trained_ones(encoder: Path, text: Path, tokenizer: Any) -> None:
    lines = text.read_text(encoding="utf-8").splitlines()
    model = AutoModelForMaskedLM.from_pretrained(encoder)
    ids = torch.tensor(encode(lines[:1], tokenizer))
    corrupted, chosen = corrupt(ids, len(tokenizer), torch.Generator().manual_seed(0))
    loss = torch.nn.functional.cross_entropy(model(corrupted).logits[chosen], ids[chosen])
    assert loss.item() < 1.2 * json.loads((encoder / "pretraining.json").read_text())["last_loss"] + 1


def test_special_tokens_and_templates_are_those_of_xlm_r(tokenizer: Any) -> None:
    assert tokenizer.is_fast
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    assert tokenizer.convert_tokens_to_ids(special) == [0, 1, 2, 3, 4]
    assert tokenizer.cls_token == "<s>"
    assert tokenizer.sep_token == "</s>"
    single, pair = tokenizer("."), tokenizer(".", "?")
    stop, ask = tokenizer.convert_tokens_to_ids(["▁.", "▁?"])
    assert single["input_ids"] == [0, stop, 2]
    assert pair["input_ids"] == [0, stop, 2, 2, ask, 2]
    assert pair.sequence_ids() == [None, 0, None, None, 1, None]


def test_offsets_hold_whole_words_without_the_blank_before(tokenizer: Any, text: Path) -> None:
    for line in text.read_text(encoding="utf-8").splitlines()[:200]:
        encoded = tokenizer(line, return_offsets_mapping=True, add_special_tokens=False)
        pieces = [line[start:end] for start, end in encoded["offset_mapping"]]
        assert all(piece == piece.strip() and piece for piece in pieces)
        starts = {start for start, _ in encoded["offset_mapping"]}
        words = [place for place in range(len(line)) if place == 0 or line[place - 1] in " \t"]
        assert set(words) <= starts
        assert "".join(pieces) == "".join(line.split())


def test_most_words_are_one_piece_and_none_is_unknown(tokenizer: Any, text: Path) -> None:
    lines = text.read_text(encoding="utf-8").splitlines()
    ids = [number for line in lines for number in tokenizer(line, add_special_tokens=False)["input_ids"]]
    words = sum(len(line.split()) for line in lines)
    assert tokenizer.unk_token_id not in ids
    assert len(ids) < 1.1 * words
    assert tokenizer.unk_token_id not in tokenizer("What is the cause, then? (A)")["input_ids"]


def test_pretraining_is_deterministic_and_depends_on_the_seed(
    encoder: Path, text: Path, tmp_path: Path
) -> None:
    for name, seed in (("same", 0), ("other", 1)):
        pretrain_encoder(text, tmp_path / name, seed=seed, scale=SCALE, threads=1)
    files = sorted(path.name for path in encoder.iterdir())
    assert files == sorted(path.name for path in (tmp_path / "same").iterdir())
    for file in files:
        assert file_digest(encoder / file) == file_digest(tmp_path / "same" / file), file
    other = file_digest(tmp_path / "other" / "model.safetensors")
    assert other != file_digest(encoder / "model.safetensors")


def test_pretraining_leaves_the_caller_its_randomness_and_threads(text: Path, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    pretrain_encoder(text, tmp_path, seed=0, scale=0.001, threads=1)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_the_loss_falls(encoder: Path) -> None:
    summary = json.loads((encoder / "pretraining.json").read_text(encoding="utf-8"))
    assert summary["steps"] == round(RECIPE.steps * SCALE)
    assert summary["last_loss"] < summary["first_loss"] - 1.0


def test_translations_are_encoded_as_pairs(tokenizer: Any) -> None:
    assert encode([". ?\t?", ". ?"], tokenizer) == [
        tokenizer(". ?", "?")["input_ids"],
        tokenizer(". ?")["input_ids"],
    ]
    assert len(encode([". " * 500], tokenizer)[0]) == 128


def test_batches_visit_every_document_once_a_round_and_are_of_even_length() -> None:
    lengths = [number % 40 + 1 for number in range(3200)]
    batches = list(islice(bucketed_batches(lengths, random.Random(0)), 200))
    first, second = (
        Counter(number for batch in half for number in batch) for half in (batches[:100], batches[100:])
    )
    assert first == second == Counter(range(3200))
    assert batches[:100] != batches[100:]
    spread = [
        max(lengths[number] for number in batch) - min(lengths[number] for number in batch)
        for batch in batches
    ]
    assert sum(spread) / len(spread) < 3


def test_masks_spare_special_tokens_and_keep_their_shares() -> None:
    ids = torch.randint(MASK + 1, 500, (200, 100), generator=torch.Generator().manual_seed(0))
    ids[:, 0], ids[:, -1] = 0, EOS
    corrupted, chosen = corrupt(ids, 500, torch.Generator().manual_seed(1))
    assert not chosen[:, 0].any()
    assert not chosen[:, -1].any()
    assert torch.equal(corrupted[~chosen], ids[~chosen])
    assert chosen[:, 1:-1].float().mean().item() == pytest.approx(RECIPE.masked, abs=0.01)
    assert (corrupted[chosen] == MASK).float().mean().item() == pytest.approx(0.8, abs=0.02)
    assert (corrupted[chosen] == ids[chosen]).float().mean().item() == pytest.approx(0.1, abs=0.02)


def test_a_batch_without_luck_still_predicts_something() -> None:
    for seed in range(30):
        _, chosen = corrupt(torch.tensor([[0, 7, 2]]), 10, torch.Generator().manual_seed(seed))
        assert chosen.tolist() == [[False, True, False]]


def test_no_text_is_refused() -> None:
    model = build_model(10, seed=0)
    with pytest.raises(ValueError, match="no documents"):
        train_masked(model, [], steps=1, seed=0)


def test_equal_documents_give_equal_tokenizers() -> None:
    texts = list(documents(draw_world(1), 300))
    first, second = (train_tokenizer(texts).backend_tokenizer.to_str() for _ in range(2))
    assert first == second
