"""This is where a pretrained encoder and its tokenizer are loaded, from the hub's cache or from a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import transformers
from torch import nn
from transformers import AutoModel, AutoTokenizer

from xtr.errors import InputError, Problem

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


@dataclass(frozen=True, slots=True)
class Encoder:
    """A pretrained encoder without its pooler, and the tokenizer that belongs to it."""

    model: transformers.PreTrainedModel
    tokenizer: transformers.PreTrainedTokenizerFast
    revision: str | None = None

    @property
    def hidden_size(self) -> int:
        """Width of a hidden state."""
        return int(self.model.config.hidden_size)

    @property
    def n_layers(self) -> int:
        """Number of transformer blocks; hidden state 0 is the embedding, `n_layers` the last."""
        return int(self.model.config.num_hidden_layers)

    @property
    def max_length(self) -> int | None:
        """Longest input in tokens, or None where positions have no end.

        RoBERTa and its kin count positions from behind the padding id, so a few are never used.
        """
        config = self.model.config
        positions = getattr(config, "max_position_embeddings", None)
        if positions is None:
            return None
        return int(positions) - (int(config.pad_token_id) + 1 if "roberta" in config.model_type else 0)


def load_tokenizer(name: str, revision: str | None = None) -> transformers.PreTrainedTokenizerFast:
    """Load a fast tokenizer by hub id or folder.

    Raises:
        InputError: it cannot be found, or it has no fast form (answers need character offsets).
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision, use_fast=True)
    except (OSError, ValueError) as error:
        raise _unloadable(name, error) from error
    if not tokenizer.is_fast:
        raise InputError(Problem("the tokenizer has no fast form", where="model.name", received=name))
    return tokenizer


def load_encoder(name: str, revision: str | None = None) -> Encoder:
    """Load an encoder of any architecture that transformers' auto classes know.

    The pooler is dropped: heads read hidden states, and weights that get no gradient would stall
    data-parallel training. Code from the hub is never run.

    Raises:
        InputError: nothing loadable lies under that name.
    """
    tokenizer = load_tokenizer(name, revision)
    try:
        model = AutoModel.from_pretrained(name, revision=revision, trust_remote_code=False, dtype="float32")
    except (OSError, ValueError) as error:
        raise _unloadable(name, error) from error
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    return Encoder(model, tokenizer, revision)


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """List an encoder's transformer blocks: of its lists of modules the one that is as long as it is deep.

    Empty where blocks are no plain list (ALBERT has one that it runs again and again).
    """
    depth = model.config.num_hidden_layers  # type: ignore[union-attr]
    lists = (each for each in model.modules() if isinstance(each, nn.ModuleList) and len(each) == depth)
    return list(next(lists, ()))


def save_encoder(encoder: Encoder, folder: Path) -> None:
    """Write weights (safetensors), config and tokenizer so that `from_pretrained(folder)` reads them."""
    encoder.model.save_pretrained(folder)
    backend = encoder.tokenizer.backend_tokenizer
    backend.no_truncation()  # left behind by the last text that was encoded, if any was
    backend.no_padding()
    encoder.tokenizer.save_pretrained(folder)


def _unloadable(name: str, error: Exception) -> InputError:
    return InputError(
        Problem(
            "the encoder cannot be loaded",
            where="model.name",
            received=f"{name} ({str(error).splitlines()[0]})",
            allowed="a hub id in the local cache or reachable, or a folder with config.json and weights",
            hint="check the name, HF_HUB_OFFLINE and HF_HOME",
        )
    )
