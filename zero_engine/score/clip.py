"""The score `clip`: the cosine of a drawing's and its step's embeddings, by any CLIP or SigLIP checkpoint.

`score.clip` names the checkpoint, a local folder or a hub name. The checkpoint's own preprocessor reads the pictures,
texts are cut at its context length, and both run in batches of one shape, so a drawing's score does not depend on the
other drawings.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from zero_engine.errors import ModelError, PipelineError
from zero_engine.model_files import digest_files, readable
from zero_engine.models.registry import fetched_folder
from zero_engine.pipeline import Score

_PATTERNS = ["*.json", "*.txt", "*.model", "model*.safetensors"]


def load(score: Score, device: str) -> Callable[[Sequence[np.ndarray], Sequence[str]], np.ndarray]:
    """A function from RGB pictures and texts to similarities in [-1, 1]. Raises ModelError, one line."""
    import torch
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    from zero_engine.families.checkpoints import refuse_what_does_not_fit
    from zero_engine.models.quiet import quiet

    folder = _folder(score)
    try:
        with quiet():
            model, report = AutoModel.from_pretrained(
                folder, local_files_only=True, output_loading_info=True, ignore_mismatched_sizes=True
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil")
        context = model.config.text_config.max_position_embeddings
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"score.clip: cannot read {score.clip} ({reason}). Give a CLIP or SigLIP checkpoint."
        ) from error

    refuse_what_does_not_fit(f"score.clip: {score.clip}", folder, report, model.state_dict())
    model = model.to(device).eval()

    @torch.inference_mode()
    def similarity(images: Sequence[np.ndarray], texts: Sequence[str]) -> np.ndarray:
        read = tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=context, return_tensors="pt"
        )
        seen = processor(images=list(images), return_tensors="pt")
        done = model(**read.to(device), **seen.to(device))
        return (done.image_embeds * done.text_embeds).sum(dim=-1).float().cpu().numpy()

    return similarity


def fingerprint(score: Score) -> str:
    """sha256 over the names and bytes of the checkpoint's files. Raises PipelineError or ModelError."""
    folder = _folder(score)
    with readable(folder):
        files = sorted({f for pattern in _PATTERNS for f in folder.glob(pattern) if f.is_file()})
    return digest_files((file.name, file) for file in files)


def _folder(score: Score) -> Path:
    if score.clip is None:
        raise PipelineError(
            "score.names has clip, but score.clip names no checkpoint. Give the folder or hub name of a CLIP or SigLIP."
        )
    return fetched_folder(score.clip, _PATTERNS, "score.clip a checkpoint's folder")
