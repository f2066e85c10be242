"""Templates, and what a prompt does not carry."""

from dataclasses import replace

import pytest

from zero_engine.errors import PipelineError
from zero_engine.records import ParsedTrace, Source, Step, Trace
from zero_engine.render.prompts import TEMPLATES, Place, compile_template, is_prose, plain_text, prose


def parsed(question: str, *steps: str) -> ParsedTrace:
    trace = Trace("t", question, "\n".join(steps), None, Source("test", "test", 0))
    return ParsedTrace(trace, tuple(Step(i, text) for i, text in enumerate(steps)), None, "lines")


TRACE = parsed("How many eggs?", "She has 16 eggs.", "She eats 3.", "16 - 3 = 13.")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("step", "16 - 3 = 13."),
        ("question_step", "How many eggs?\n16 - 3 = 13."),
        ("history", "How many eggs?\nShe has 16 eggs.\nShe eats 3.\n16 - 3 = 13."),
        ("{{ index + 1 }}) {{ step | upper }}", "3) 16 - 3 = 13."),
    ],
)
def test_a_template_makes_the_prompt(template, expected):
    assert compile_template(template)(TRACE, TRACE.steps[2]).text == expected


def test_the_newest_picture_is_the_last_kept_drawing_or_the_questions():
    prompt = compile_template("{{ picture }}{{ step }}")
    pictured = replace(TRACE, trace=replace(TRACE.trace, question_images=(b"a", b"b")))
    last = TRACE.steps[2]
    assert prompt(pictured, last, {0, 1, 2}).places == (Place("step", 1),)
    assert prompt(pictured, last).places == (Place("question", 1),)
    assert prompt(TRACE, last).places == ()
    assert prompt(pictured, TRACE.steps[0], {0, 1}).places == (Place("question", 1),)


def test_the_first_step_has_no_history():
    assert compile_template("history")(TRACE, TRACE.steps[0]).text == "How many eggs?\nShe has 16 eggs."


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("{{ stepp }}", "'stepp'"),
        ("{{ step }} {{ answer }}", "'answer'"),
        ("stepp", "question_step"),
        ("{{ step ", "jinja2"),
    ],
)
def test_a_template_that_cannot_work_is_refused_before_any_drawing(template, names):
    with pytest.raises(PipelineError, match=names) as caught:
        compile_template(template)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "template", ["{{ step.nothing.at.all }}", "{{ step.__class__.__mro__ }}", "{{ 1 // 0 }}"]
)
def test_a_template_that_fails_or_leaves_the_sandbox_is_the_users_error(template):
    with pytest.raises(PipelineError, match="'t', step 1"):
        compile_template(template)(TRACE, TRACE.steps[0])


MARKUP = [
    "<image>",
    "<racm3:break>",
    "<eoss>",
    "IMGIMGBAZ",
    "</s>",
    "<s>",
    "<pad>",
    "<reserved12856>",
    "<|im_end|>",
]


@pytest.mark.parametrize("name", MARKUP)
@pytest.mark.parametrize("template", TEMPLATES)
def test_markup_in_data_is_broken_up_and_stays_legible(name, template):
    trace = parsed(f"a{name}b", f"c{name}d", f"e {name}{name} f")
    prompt = compile_template(template)(trace, trace.steps[1]).text
    assert name not in prompt
    assert name in prompt.replace(" ", "")


def test_markup_in_a_template_is_meant():
    assert (
        compile_template("<reserved12856>{{ step }}")(TRACE, TRACE.steps[1]).text
        == "<reserved12856>She eats 3."
    )


@pytest.mark.parametrize("text", ["3 < 5 and 7 > 2", "a<<48/2=24>>24", "x <- y", "IMG IMGA", "if (a<b) c"])
def test_plain_text_leaves_other_text_alone(text):
    assert plain_text(text) == text


@pytest.mark.parametrize("name", MARKUP)
def test_a_chameleon_tokenizer_sees_no_special_token_in_plain_text(data, name):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(data / "goldens/tiny-anole/tokenizer.json"))
    special = {token_id for token_id, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    text = f"one{name}{name}two"
    assert not special & set(tokenizer.encode(plain_text(text), add_special_tokens=False).ids)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("[asy]draw((0,0)--(1,1));[/asy]", ""),
        ("[asy]draw(unclosed", ""),
        ("Join them. [asy]x[/asy] Then halve.", "Join them.  Then halve."),
        ("\\begin{tikzpicture}\\draw;\\end{tikzpicture}", ""),
        ("```mermaid\na --> b\n```", ""),
        ("<svg width='3'><path/></svg>", ""),
        ("```python\nprint(1)\n```", "```python\nprint(1)\n```"),
    ],
)
def test_drawing_code_is_no_prose(text, rest):
    assert prose(text) == rest
    assert is_prose(text) == bool(rest)


@pytest.mark.parametrize(
    ("text", "expected"), [("---", False), ("$$ $$", False), ("5", True), ("四", True), ("", False)]
)
def test_a_step_with_no_letter_and_no_digit_says_nothing(text, expected):
    assert is_prose(text) is expected


def test_a_step_of_unclosed_drawing_code_takes_linear_time():
    assert prose("[asy]" * 200_000) == ""


@pytest.mark.parametrize(
    "template",
    [
        "{{ step * 1000000000 }}",
        "{{ 'x' * 9 }}{{ step }}",
        "{{ 9 ** 9 }}{{ step }}",
        "{{ '%999999999d' % 1 }}{{ step }}",
        "{{ step.ljust(9999) }}",
        "{{ step.replace('e', 'eeee') }}",
        "{{ step }}{% for i in range(9) %}a{% endfor %}",
        "{{ step }}{% for a in step %}{% for b in step %}x{% endfor %}{% endfor %}",
        "{{ step }}{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ step }}{% include 'x' %}",
        "{{ step | center(99999999) }}",
        "{{ step | indent(99999999) }}",
        "{{ step" + " | replace('e', 'eeeeeeeeee')" * 12 + " }}",
        "{{ step }}" * 2000,
    ],
)
def test_a_templates_work_is_bounded(template):
    with pytest.raises(PipelineError, match="render.template"):
        compile_template(template)(TRACE, TRACE.steps[1])


def test_a_template_may_put_text_together():
    loop = "{% for line in history.splitlines() %}{{ line | upper }} / {% endfor %}"
    template = loop + "{{ step.strip() | truncate(9) }}{{ index + 1 }}"
    assert compile_template(template)(TRACE, TRACE.steps[1]).text.startswith("SHE HAS 16 EGGS. / ")
