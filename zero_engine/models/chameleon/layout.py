"""A checkpoint's token ids: those of the codes, of BOI and EOI (begin and end of a picture) and of BOS.

Codes map to ids *by name* through the configuration's `vocabulary_map`: an image token is called `IMGIMG`,
then the digits of its code as letters (A=0 .. J=9), then `Z`. The order of ids is not the order of codes in
general, so `id - 4` is never assumed.

BOI and EOI are `<racm3:break>` and `<eoss>`; `boi_token_id` and `eoi_token_id` of the configuration are
read only when the map lacks these names. BOS is the tokenizer's: public configurations say 1, which is
the padding token.
"""

import re
from dataclasses import dataclass

import numpy as np
from transformers import ChameleonConfig, ChameleonVQVAEConfig, PreTrainedTokenizerBase

from zero_engine.errors import ModelError

BOI_NAME = "<racm3:break>"
EOI_NAME = "<eoss>"
SAMPLE_TEXT = "Step 1: 3 + 4 = 7, so she has $7."
_CODE_NAME = re.compile("IMGIMG([A-J]{1,9})Z")
_LETTER_TO_DIGIT = str.maketrans("ABCDEFGHIJ", "0123456789")


@dataclass(frozen=True, slots=True)
class TokenLayout:
    """Ids of a checkpoint's picture tokens. `code_ids[code]` is the vocabulary id of a code."""

    code_ids: np.ndarray  # (K,) int64
    bos: int
    boi: int
    eoi: int

    def prompt(self, text_ids: list[int]) -> list[int]:
        """The ids before the codes of a picture: BOS, the text, BOI."""
        return [self.bos, *text_ids, self.boi]

    def code_of(self, vocabulary: int) -> np.ndarray:
        """The code of every id below `vocabulary`, -1 where it is none: (V,) int64."""
        codes = np.full(vocabulary, -1, np.int64)
        codes[self.code_ids] = np.arange(len(self.code_ids))
        return codes


def read_layout(config: ChameleonConfig, tokenizer: PreTrainedTokenizerBase, where: str) -> TokenLayout:
    """The layout of a checkpoint; `where` names it in errors.

    Raises ModelError when codes, BOI, EOI or BOS have no id.
    """
    names = config.vocabulary_map or {}
    code_ids = _code_ids(names, config.vq_config.num_embeddings, config.vocab_size, where)
    bos = tokenizer.bos_token_id
    boi = _id_of(BOI_NAME, names, getattr(config, "boi_token_id", None), where)
    eoi = _id_of(EOI_NAME, names, getattr(config, "eoi_token_id", None), where)
    if bos is None:
        raise ModelError(f"{where}: the tokenizer has no BOS token. Add bos_token to tokenizer_config.json.")
    for what, token_id in ((BOI_NAME, boi), (EOI_NAME, eoi), ("BOS", bos)):
        _check_id(token_id, what, config.vocab_size, where)
    if (largest := max(tokenizer(SAMPLE_TEXT)["input_ids"], default=0)) >= config.vocab_size:
        raise ModelError(
            f"{where}: the tokenizer gives the id {largest}, and the vocabulary in config.json has "
            f"{config.vocab_size}. Give the tokenizer that belongs to the weights."
        )
    return TokenLayout(code_ids=code_ids, bos=int(bos), boi=int(boi), eoi=int(eoi))


def code_name(code: int) -> str:
    """The vocabulary name of a code: 12 -> IMGIMGBCZ."""
    return "IMGIMG" + "".join(chr(ord("A") + int(digit)) for digit in str(code)) + "Z"


def code_of_name(name: str) -> int:
    """The code of a vocabulary name, -1 where it names none: IMGIMGBCZ -> 12."""
    found = _CODE_NAME.fullmatch(name)
    return int(found.group(1).translate(_LETTER_TO_DIGIT)) if found else -1


def _check_id(token_id: object, what: str, vocabulary: int, where: str) -> None:
    if isinstance(token_id, bool) or not isinstance(token_id, int) or not 0 <= token_id < vocabulary:
        raise ModelError(
            f"{where}: the id of {what} is {token_id!r}, not a whole number below the vocabulary's {vocabulary}. "
            "Check vocabulary_map in config.json."
        )


def _code_ids(names: dict[str, int], codebook_size: int, vocabulary: int, where: str) -> np.ndarray:
    code_ids = np.full(codebook_size, -1, dtype=np.int64)
    for name, token_id in names.items():
        code = code_of_name(name)
        if 0 <= code < codebook_size:
            _check_id(token_id, name, vocabulary, where)
            code_ids[code] = token_id
    missing = np.flatnonzero(code_ids < 0)
    if missing.size:
        raise ModelError(
            f"{where}: vocabulary_map in config.json lacks {missing.size} of {codebook_size} codes "
            f"(first: {code_name(int(missing[0]))}). Use a checkpoint whose map names every code."
        )
    if len(np.unique(code_ids)) < codebook_size:
        raise ModelError(
            f"{where}: vocabulary_map in config.json gives two codes one id. Use the map of the checkpoint."
        )
    return code_ids


def _id_of(name: str, names: dict[str, int], otherwise: int | None, where: str) -> int:
    token_id = names.get(name, otherwise)
    if token_id is None:
        raise ModelError(f"{where}: no id for {name}. Add it to vocabulary_map in config.json.")
    return token_id


def code_grid(config: ChameleonVQVAEConfig) -> tuple[int, int]:
    """Rows and columns of codes in one picture."""
    side = config.resolution // 2 ** (len(config.channel_multiplier) - 1)
    return side, side
