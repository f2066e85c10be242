"""A checkpoint's vocabulary without its weights: text to ids, codes to ids, for the formats of tokens.

Only where a question has a picture is the whole model loaded, for its encoder. Data is never a token: a text that
quotes `</s>` or `IMGIMGAZ` is spelled out where ids are written, and broken up where the reader tokenises itself.
"""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from types import SimpleNamespace

import numpy as np

from zero_engine.errors import ModelError
from zero_engine.hashing import digest
from zero_engine.models.registry import load_model, model_fingerprint, model_folder


class Coder:
    """What `render.sequences.Encoder` asks of a model, and a picture's ids.

    Raises ModelError where the folder is no checkpoint in the Chameleon layout.
    """

    def __init__(self, name: str):
        from transformers import AutoTokenizer, ChameleonConfig

        from zero_engine.models.chameleon.layout import code_grid, read_layout
        from zero_engine.models.quiet import quiet

        self.name, folder = name, model_folder(name)
        try:
            with quiet():
                config = ChameleonConfig.from_pretrained(folder, local_files_only=True)
                self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelError(
                f"{name}: cannot read tokenizer and configuration ({reason}). Is it complete?"
            ) from error
        self.module = SimpleNamespace(config=config)
        self.layout = read_layout(config, self.tokenizer, name)
        self.grid = code_grid(config.vq_config)
        self.codes_per_picture = self.grid[0] * self.grid[1]
        self.codebook_size = config.vq_config.num_embeddings

    @cached_property
    def _model(self):
        return load_model(self.name, device="cpu", dtype="float32")

    def encode(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """(B, N) codes of RGB pictures, by the model's own encoder."""
        return self._model.encode(images)

    def text(self, text: str) -> list[int]:
        """Ids of a text, special names spelled out."""
        if not text:
            return []
        return self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]

    def as_reader(self, text: str) -> list[int]:
        """Ids of a text as a plain reader of text has them: special names in it are tokens."""
        return self.tokenizer.encode(text, add_special_tokens=False)

    def picture(self, codes: Sequence[int] | np.ndarray) -> list[int]:
        """BOI, the ids of the codes, EOI. Raises ValueError for codes of another codebook or grid."""
        codes = np.asarray(codes, np.int64)
        if len(codes) != self.codes_per_picture or codes.max() >= self.codebook_size:
            raise ValueError(
                f"a picture of {len(codes)} codes up to {codes.max()}, where {self.name} has {self.codes_per_picture} "
                f"below {self.codebook_size}"
            )
        return [self.layout.boi, *self.layout.code_ids[codes].tolist(), self.layout.eoi]

    @cached_property
    def given(self):
        """Ids of an encoded picture of a question; the last ones are remembered."""
        from zero_engine.images import decode_image

        known: dict[str, list[int]] = {}

        def ids(image: bytes) -> list[int]:
            key = digest(image)
            if key not in known:
                if len(known) > 1024:
                    known.clear()
                known[key] = self.picture(self.encode([decode_image(image)])[0])
            return known[key]

        return ids


def coder_of(name: str) -> Coder:
    """The coder of a model, kept for the life of the process."""
    return _coder(name, model_fingerprint(name))


@lru_cache(maxsize=2)
def _coder(name: str, fingerprint: str) -> Coder:
    return Coder(name)
