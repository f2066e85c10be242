"""Think tags: every fault that models make with them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zero_engine.read.tags import split_thinking

TAGS = ("<think>", "</think>")


@pytest.mark.parametrize(
    ("text", "rationale", "answer", "notes"),
    [
        ("<think>a</think>b", "a", "b", ()),
        ("<think>\na\n</think>\n\nb", "a", "b", ()),
        ("Sure.\n<think>\na\n</think>\nb", "Sure.\n\na", "b", ()),
        ("a\n</think>\nb", "a", "b", ("think_unopened",)),
        ("<think>\na", "a", "", ("think_unclosed",)),
        ("<think>a</think>b<think>c</think>d", "abc", "d", ("think_blocks:2",)),
        ("<think>a</think>\nb\n<think>c", "a\nb\nc", "", ("think_unclosed", "think_blocks:2")),
        ("<think>use <think> well\n</think>b", "use <think> well", "b", ()),
        ("<think>the </think> tag ends it\n</think>\nb", "the </think> tag ends it", "b", ()),
        ("<think>a</think>The <think> tag", "a", "The <think> tag", ()),
        ("<think>a</think>\n`</think>` and `<think>`", "a", "`</think>` and `<think>`", ()),
        ("<think></think>b", "", "b", ()),
    ],
)
def test_blocks_are_found(text: str, rationale: str, answer: str, notes: tuple[str, ...]) -> None:
    found = split_thinking(text, TAGS)
    assert found is not None
    assert (found.rationale, found.answer, found.notes) == (rationale, answer, notes)


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("< think >a</ think >b", ()),
        ("&lt;think&gt;\na\n&lt;/think&gt;\nb", ()),
        ("<CoT>a</CoT>b", ()),
        ("a\n< /chain_of_thought>\nb", ("think_unopened",)),
        ("<rationale>a</rationale>b", ()),
    ],
)
def test_tags_are_found_however_they_are_spelt(text: str, notes: tuple[str, ...]) -> None:
    found = split_thinking(text)
    assert found is not None and (found.rationale, found.answer, found.notes) == ("a", "b", notes)


@pytest.mark.parametrize("text", ["1 < think > 2", "a cot b > c", "x &lt; y &gt; z"])
def test_what_looks_like_a_tag_is_text(text: str) -> None:
    assert split_thinking(text) is None


@pytest.mark.parametrize("text", ["no tags", "", "the `<think>` tag", 'say "</think>" now'])
def test_text_without_a_block_has_none(text: str) -> None:
    assert split_thinking(text, TAGS) is None


def test_tags_are_configurable() -> None:
    found = split_thinking("[R]a[/R]b", ("[R]", "[/R]"))
    assert found is not None and (found.rationale, found.answer) == ("a", "b")


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "\n", " ", "a", "`", "b."]), max_size=30).map("".join)
)
def test_only_tags_and_blanks_are_lost(text: str) -> None:
    found = split_thinking(text, TAGS)
    if found is None:
        return
    kept = found.rationale + found.answer

    def bare(part: str) -> str:
        return "".join(part.replace("<think>", "").replace("</think>", "").split())

    assert bare(kept) == bare(text)
