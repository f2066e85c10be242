"""Builds the prompt of a step from a template, and removes what a prompt must not hold.

Three templates have names; any other is a jinja2 text, rendered in a sandbox, over `question`, `question_pictures`,
`step`, `history` (the earlier steps, a line each), `picture` (the newest one) and `index`:

    step           the step
    question_step  the question, then the step
    history        the question, the earlier steps, then the step

A prompt is a sequence of text and pictures. `question_pictures` inserts the pictures of the question. With
`render.context: pictures`, the drawing that the gate kept of a step follows that step in `history`, and `picture` is
the last such drawing; where there is none it is the question's last picture, or nothing. The prompt's text has
`PICTURE` in the place of each picture; `Written.places` says which picture each one is.

Data is not markup. A tokenizer of the Chameleon family reads `<image>`, `</s>`, `<racm3:break>` or
`IMGIMGBAZ` in plain text as the token of that name, so a trace that quotes one would end its own prompt.
`plain_text` breaks such names up with a blank (`< image>`, `IMG IMGBAZ`). The result is legible and safe with every
tokenizer, and `prompt` stores it as the model saw it. Only data is changed, not the template (in which
`models.chameleon` reads a special token's name as text, too).

Drawing code (`[asy]..[/asy]`, tikz, svg, mermaid) is no prose: it is cut out of the step, and a step without
any word or number outside it is not drawn.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import jinja2
import jinja2.meta
import numpy as np

from zero_engine.errors import PipelineError
from zero_engine.models.prompt import Prompt
from zero_engine.records import PICTURE, ParsedTrace, Step
from zero_engine.render.sandbox import BoundedEnvironment

TEMPLATES = {
    "step": "{{ step }}",
    "question_step": "{{ question }}\n{{ step }}",
    "history": "{{ question }}\n{% if history %}{{ history }}\n{% endif %}{{ step }}",
}
VARIABLES = ("question", "question_pictures", "step", "history", "picture", "index")
_PLACE = re.compile("\ue000([qs])(\\d+)\ue001")
_RESERVED = re.compile("[\ue000\ue001\ufffc]")
_TAG = re.compile(r"<(?=[/|!]?[A-Za-z][\w:.|/-]{0,60}>)")
_IMAGE_TOKEN = re.compile(r"(?<=IMG)(?=IMG[A-J]+Z)")
_DRAWING_CODE = re.compile(
    r"\[asy\].*?(?:\[/asy\]|\Z)"
    r"|\\begin\{(asy|tikzpicture|picture|pspicture)\*?\}.*?(?:\\end\{\1\*?\}|\Z)"
    r"|```[ \t]*(?:asy|asymptote|tikz|svg|mermaid|dot|graphviz)\b.*?(?:```|\Z)"
    r"|<svg\b.*?(?:</svg>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_SAYS_SOMETHING = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Place:
    """A picture in a prompt: the question's picture of this number, or the kept drawing of the step of this number."""

    kind: Literal["question", "step"]
    number: int


@dataclass(frozen=True, slots=True)
class Written:
    """A prompt without its pictures: its text, with one `PICTURE` for each of `places`, in their order."""

    text: str
    places: tuple[Place, ...] = ()


Kept = Collection[int]
"""Indices of the earlier steps that have a kept drawing."""


def compile_template(template: str, in_front: bool = False) -> Callable[[ParsedTrace, Step, Kept], Written]:
    """Compiles a template to a function from a step, and the steps with kept drawings, to the step's prompt.

    `in_front` puts the question's pictures before a prompt whose template does not place them. Raises PipelineError
    for a template that is not valid.
    """
    text = TEMPLATES.get(template, template)
    if template not in TEMPLATES and "{{" not in template:
        raise PipelineError(
            f"render.template must be one of {', '.join(TEMPLATES)} or a jinja2 text with {{{{ step }}}} in it, "
            f"got {template!r}."
        )
    environment = BoundedEnvironment()
    try:
        used = jinja2.meta.find_undeclared_variables(environment.parse(text))
        if unknown := sorted(used - set(VARIABLES)):
            raise PipelineError(
                f"render.template uses the undefined variable {unknown[0]!r}. Available: {', '.join(VARIABLES)}."
            )
        compiled = environment.from_string(text)
    except jinja2.TemplateError as error:
        raise PipelineError(f"render.template is not valid jinja2: {error}. Fix the template.") from None

    def prompt(parsed: ParsedTrace, step: Step, kept: Kept = ()) -> Written:
        before = parsed.steps if "history" in used else ()
        shown = "".join(f"\ue000q{number}\ue001" for number in range(len(parsed.trace.question_images)))
        values = {
            "question": plain_text(parsed.trace.question.strip()),
            "question_pictures": shown,
            "step": plain_text(prose(step.text)),
            "history": "\n".join(
                line for other in before if other.index < step.index and (line := _line(other, kept))
            ),
            "picture": _newest(len(parsed.trace.question_images), [one for one in kept if one < step.index]),
            "index": step.index,
        }
        try:
            text = compiled.render(values)
        except Exception as error:  # the template is the user's, whatever it raises
            raise PipelineError(
                f"render.template failed on trace {parsed.trace.id!r}, step {step.index + 1}: {error}. "
                "Fix the template."
            ) from None
        return _written(shown + text if in_front and "question_pictures" not in used else text)

    return prompt


def _newest(of_question: int, kept: Sequence[int]) -> str:
    """The mark of the last kept drawing, else of the question's last picture."""
    if kept:
        return f"\ue000s{max(kept)}\ue001"
    return f"\ue000q{of_question - 1}\ue001" if of_question else ""


def _line(step: Step, kept: Kept) -> str:
    """The line of an earlier step in `history`, with its kept drawing after it."""
    return plain_text(prose(step.text)) + (f"\ue000s{step.index}\ue001" if step.index in kept else "")


def _written(rendered: str) -> Written:
    kinds: dict[str, Literal["question", "step"]] = {"q": "question", "s": "step"}
    places = tuple(Place(kinds[found[1]], int(found[2])) for found in _PLACE.finditer(rendered))
    return Written(_PLACE.sub(PICTURE, rendered), places)


def assemble(text: str, pictures: Sequence[np.ndarray]) -> Prompt:
    """The prompt of a text and the codes of its pictures, in order. Raises ValueError where their numbers differ."""
    texts = text.split(PICTURE)
    if len(texts) == 1 and not pictures:
        return text
    parts: list[str | np.ndarray] = [texts[0]]
    for picture, rest in zip(pictures, texts[1:], strict=True):
        parts += [picture, rest]
    return tuple(part for part in parts if not isinstance(part, str) or part)


def prose(text: str) -> str:
    """The text without drawing code."""
    return _DRAWING_CODE.sub("", text).strip()


def is_prose(text: str) -> bool:
    """Whether a text has a letter or a digit outside drawing code."""
    return _SAYS_SOMETHING.search(prose(text)) is not None


def plain_text(text: str) -> str:
    """The text with a blank inside every name that a tokenizer could read as a special token."""
    return _IMAGE_TOKEN.sub(" ", _TAG.sub("< ", _RESERVED.sub("", text)))
