"""What is exported: transformers alone, from a folder, scores as xtr does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor

from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Split, Task
from xtr.data.demo.source import DemoSource
from xtr.evaluate.predict import run_examples
from xtr.families.family import Example, HeadSettings
from xtr.families.registry import family_of, head_id
from xtr.model.encoder import Encoder, load_encoder, save_encoder
from xtr.model.heads import TaskModel
from xtr.model.plain import plain_model
from xtr.stages.portable import write_portable

TASKS = ("xnli", "csqa", "panx", "tydiqa", "mlm")


def a_stage(encoder: Encoder, task: Task, folder: Path) -> TaskModel:
    """Write what a stage that has trained a task leaves, and return the model."""
    torch.manual_seed(3)
    learnt = find_task(task.training_task or task.name)
    head = family_of(learnt).head(encoder, learnt, HeadSettings())
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    save_encoder(encoder, folder / "encoder")
    (folder / "heads").mkdir()
    save_file(head.state_dict(), folder / "heads" / f"{head_id(learnt)}.safetensors")
    return TaskModel(encoder.model, head)


def outputs_of(plain: transformers.PreTrainedModel, example: Example) -> Tensor:
    """Score one example with transformers alone, in the shape of a family's outputs."""
    sequences = [torch.tensor(each.input_ids) for each in example.sequences]
    if len(sequences) > 1:
        padded = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=1)
        mask = (padded != 1).long()
        scores: Tensor = plain(input_ids=padded[None], attention_mask=mask[None]).logits
        return scores.view(-1, 1)
    outputs = plain(input_ids=sequences[0][None])
    if "start_logits" in outputs:
        return torch.stack([outputs.start_logits[0], outputs.end_logits[0]], dim=-1)
    logits: Tensor = outputs.logits
    if example.places and example.places[0][0] == example.places[0][1] and logits.shape[-1] > 100:
        return logits[0, [place for place, _ in example.places]]
    return logits if logits.dim() == 2 else logits[0]


@pytest.mark.parametrize("name", TASKS)
@torch.inference_mode()
def test_transformers_alone_scores_as_xtr_does(
    name: str, demo: DemoSource, encoder: Encoder, tmp_path: Path
) -> None:
    task = find_task(name)
    family = family_of(task)
    model = a_stage(encoder, task, tmp_path / "stage")
    split: Split = "train" if name == "mlm" else "select" if name == "csqa" else "test"
    rows = demo.rows(task, split, "xa" if name == "mlm" else "en")[:12]
    examples = family.encode(rows, task, encoder.tokenizer, 64)
    auto_class = write_portable(tmp_path / "stage", task, tmp_path / "plain")
    assert auto_class == family.auto_class
    plain, loading = getattr(transformers, auto_class).from_pretrained(
        tmp_path / "plain", output_loading_info=True
    )
    assert not any(loading[each] for each in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "plain")
    assert tokenizer("xa", "en")["input_ids"] == encoder.tokenizer("xa", "en")["input_ids"]
    plain.eval()
    if name == "mlm":  # its outputs are reduced to the best piece when examples are run
        ours = [model(family.inputs([each], tokenizer, torch.device("cpu")))[0] for each in examples]
    else:
        ours = run_examples(model, family, encoder.tokenizer, examples, batch_size=4)
    assert examples
    for mine, example in zip(ours, examples, strict=True):
        theirs = outputs_of(plain, example)
        assert theirs.shape == mine.shape
        assert torch.allclose(mine, theirs, atol=1e-5)
    if task.labels:
        assert [plain.config.id2label[i] for i in range(len(task.labels))] == list(task.labels)
        assert plain.config.label2id[task.labels[-1]] == len(task.labels) - 1
    transformers.AutoModel.from_pretrained(tmp_path / "plain")


def test_an_encoder_goes_alone_where_no_head_was_trained_or_none_is_known(
    encoder: Encoder, tmp_path: Path
) -> None:
    a_stage(encoder, find_task("tydiqa"), tmp_path / "stage")
    for name in ("tatoeba", "lareqa"):
        assert write_portable(tmp_path / "stage", find_task(name), tmp_path / name) == "AutoModel"
        plain = transformers.AutoModel.from_pretrained(tmp_path / name, add_pooling_layer=False)
        ids = torch.arange(5, 15)[None]
        ours, theirs = (each(input_ids=ids).last_hidden_state for each in (encoder.model, plain))
        assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("auto_class", ["AutoModelForSequenceClassification", "AutoModelForMultipleChoice"])
def test_heads_of_bert_are_mapped_and_those_of_another_form_are_not(auto_class: str) -> None:
    """BERT pools with tanh as we do; ELECTRA's head has the same layers under the same names, but GELU inside."""
    sizes = {"vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    known = transformers.BertTokenizerFast(vocab={f"w{i}": i for i in range(55)} | {"[UNK]": 55, "[PAD]": 56})
    for config, mapped in (
        (transformers.BertConfig(**sizes, intermediate_size=16), True),
        (transformers.ElectraConfig(**sizes, intermediate_size=16, embedding_size=16), False),
    ):
        torch.manual_seed(1)
        model = transformers.AutoModel.from_config(config)
        if getattr(model, "pooler", None) is not None:
            model.pooler = None
        encoder = Encoder(model, known)
        task = find_task("xnli" if "Sequence" in auto_class else "csqa")
        head = family_of(task).head(encoder, task, HeadSettings())
        for parameter in head.parameters():
            torch.nn.init.normal_(parameter)
        found = plain_model(encoder, head, auto_class, task.labels)
        assert (found is not None) == mapped


def test_a_real_bert_is_exported_with_its_head(bert_folder: Path, tmp_path: Path) -> None:
    encoder = load_encoder(str(bert_folder))
    task = find_task("xnli")
    model = a_stage(encoder, task, tmp_path / "stage")
    assert write_portable(tmp_path / "stage", task, tmp_path / "plain") == family_of(task).auto_class
    plain = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "plain").eval()
    inputs = encoder.tokenizer(["A man eats.", "It is cold outside."], padding=True, return_tensors="pt")
    model.eval()
    with torch.inference_mode():
        assert torch.allclose(model(dict(inputs)), plain(**inputs).logits, atol=1e-5)
