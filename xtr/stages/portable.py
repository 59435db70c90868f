"""This is where what a stage has trained is written as plain transformers reads it.

write_portable(store.checked(key), find_task("tydiqa"), folder)    -> "AutoModelForQuestionAnswering"
"""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file

from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Task
from xtr.families.family import HeadSettings
from xtr.families.registry import family_of, head_id
from xtr.model.encoder import Encoder, load_encoder, save_encoder
from xtr.model.plain import plain_model
from xtr.stages.stage import Pretrained
from xtr.stages.work import ENCODER, HEADS

ENCODER_ALONE = "AutoModel"


def write_portable(trained: Path | Pretrained, task: Task, folder: Path) -> str:
    """Write config, weights and tokenizer: the encoder, with its head where transformers has one of this form.

    A task that trains nothing has no head; a language model's goes along if the stage has trained one.

    Args:
        trained: a finished stage's folder, or an encoder that exists already.
        task: what the model is scored on.

    Returns:
        Transformers' class that loads the folder.

    Raises:
        InputError: nothing loadable lies there.
    """
    if isinstance(trained, Pretrained):
        save_encoder(load_encoder(trained.name, trained.revision), folder)
        return ENCODER_ALONE
    encoder = load_encoder(str(trained / ENCODER))
    learnt = find_task(task.training_task or "mlm")
    weights = trained / HEADS / f"{head_id(learnt)}.safetensors"
    family = family_of(learnt)
    if family.auto_class and weights.exists():
        head = family.head(encoder, learnt, HeadSettings())
        head.load_state_dict(load_file(weights))
        plain = plain_model(encoder, head, family.auto_class, learnt.labels)
        if plain is not None:
            save_encoder(Encoder(plain, encoder.tokenizer), folder)
            return family.auto_class
    save_encoder(encoder, folder)
    return ENCODER_ALONE
