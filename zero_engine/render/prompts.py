"""From a step to the text that the model draws: templates, and what a prompt must not carry.

Three templates have names; any other is a jinja2 text over `question`, `step`, `history` (the earlier
steps, a line each) and `index`, rendered in a sandbox:

    step           the step
    question_step  the question, then the step
    history        the question, the earlier steps, then the step

Data is not markup. A tokenizer of the Chameleon family takes `<image>`, `</s>`, `<racm3:break>` or
`IMGIMGBAZ` in plain text for the token of that name, and a trace that quotes one would end its own prompt.
`plain_text` breaks such names up with a blank (`< image>`, `IMG IMGBAZ`): legible, safe with every
tokenizer, and stored in `prompt` as the model saw it. It is applied to the data, not to the template around
it (where `models.chameleon` still reads a special token's name as text).

Drawing code (`[asy]..[/asy]`, tikz, svg, mermaid) is no prose: it is cut out of the step, and a step with
no word or number left is not drawn.
"""

import re
from collections.abc import Callable

import jinja2
import jinja2.meta

from zero_engine.errors import PipelineError
from zero_engine.records import ParsedTrace, Step
from zero_engine.render.sandbox import BoundedEnvironment

TEMPLATES = {
    "step": "{{ step }}",
    "question_step": "{{ question }}\n{{ step }}",
    "history": "{{ question }}\n{% if history %}{{ history }}\n{% endif %}{{ step }}",
}
VARIABLES = ("question", "step", "history", "index")

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


def compile_template(template: str) -> Callable[[ParsedTrace, Step], str]:
    """A function from a step to its prompt. Raises PipelineError for a template that cannot work."""
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

    def prompt(parsed: ParsedTrace, step: Step) -> str:
        before = parsed.steps if "history" in used else ()
        earlier = [prose(other.text) for other in before if other.index < step.index]
        values = {
            "question": plain_text(parsed.trace.question.strip()),
            "step": plain_text(prose(step.text)),
            "history": plain_text("\n".join(text for text in earlier if text)),
            "index": step.index,
        }
        try:
            return compiled.render(values)
        except Exception as error:  # the template is the user's, whatever it raises
            raise PipelineError(
                f"render.template failed on trace {parsed.trace.id!r}, step {step.index}: {error}. Fix the template."
            ) from None

    return prompt


def prose(text: str) -> str:
    """The step without drawing code."""
    return _DRAWING_CODE.sub("", text).strip()


def is_prose(text: str) -> bool:
    """Whether a step says something that could be drawn: a letter or a digit outside drawing code."""
    return _SAYS_SOMETHING.search(prose(text)) is not None


def plain_text(text: str) -> str:
    """The text with every name that a tokenizer could take for a special token broken up by a blank."""
    return _IMAGE_TOKEN.sub(" ", _TAG.sub("< ", text))
