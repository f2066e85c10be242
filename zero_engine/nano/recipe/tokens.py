"""Tokens: the nano vocabulary, named as in the public Chameleon checkpoints.

Specials and picture tokens come first, then 256 bytes and BPE merges learned on the world's texts. Digits are split
one by one, so that copying a number is copying characters.
"""

from __future__ import annotations

import random

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from zero_engine import world

TEXT_VOCABULARY = 1024
BOS, PAD, EOS, UNK = "<s>", "<pad>", "</s>", "<unk>"
EOI, BOI, SEP, IMAGE = "<eoss>", "<racm3:break>", "<reserved08706>", "<image>"
# 12856/12857 and 12860/12861, 12866/12867 bracket pictures, thoughts and answers in Omni-R1's traces.
RESERVED = tuple(f"<reserved{number}>" for number in (12856, 12857, 12860, 12861, 12866, 12867))


def code_token(code: int) -> str:
    """IMGIMG, the digits of the code as letters (A is 0), Z."""
    return "IMGIMG" + "".join(chr(ord("A") + int(digit)) for digit in str(code)) + "Z"


def special_tokens(codes: int) -> list[str]:
    """All tokens that are not text, in the order of their ids."""
    return [BOS, PAD, EOS, UNK, *map(code_token, range(codes)), EOI, BOI, SEP, IMAGE, *RESERVED]


def id_of(tokenizer: Tokenizer, token: str) -> int:
    """The id of a token that every nano vocabulary has."""
    found = tokenizer.token_to_id(token)
    assert found is not None, f"the vocabulary lacks {token}"
    return found


def train_tokenizer(codes: int, texts: int = 60_000, seed: int = 0) -> Tokenizer:
    """Byte-level BPE over the world's training texts, specials in front."""
    specials = special_tokens(codes)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=len(specials) + TEXT_VOCABULARY,
        special_tokens=specials,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    rng = random.Random(f"tokenizer-{seed}")
    tokenizer.train_from_iterator((world.sample(rng).text for _ in range(texts)), trainer)
    bos = id_of(tokenizer, BOS)
    tokenizer.post_processor = processors.Sequence(
        [TemplateProcessing(single=f"{BOS} $A", pair=f"{BOS} $A {BOS}:1 $B:1", special_tokens=[(BOS, bos)])]
    )
    return tokenizer


def public_tokenizer(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """The same tokenizer as transformers saves it."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        unk_token=UNK,
        extra_special_tokens={"sep_token": SEP, "image_token": IMAGE, "boi_token": BOI, "eoi_token": EOI},
        clean_up_tokenization_spaces=False,
    )
