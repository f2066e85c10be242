"""The sandbox of prompt templates: a jinja2 environment in which a template's work is bounded.

jinja2's own sandbox protects Python's internals, but allows `'x' * 10**9` and nested loops. Here a
template has no nested loop, calls no function, uses the filters and methods of `FILTERS` and
`METHODS`, and multiplies numbers only. So its work is bounded by its own length times that of its data.
A refused template raises `jinja2.TemplateError`, in most cases before anything is rendered.
"""

from typing import Any

import jinja2
import jinja2.nodes as nodes
import jinja2.sandbox

FILTERS = frozenset(
    "abs capitalize count d default e escape first float indent int join last length list lower replace reverse round "
    "string striptags title trim truncate upper wordcount wordwrap".split()
)
METHODS = frozenset(
    "capitalize count endswith find isalnum isalpha isdigit islower isupper lower lstrip rstrip split splitlines "
    "startswith strip swapcase title upper removeprefix removesuffix".split()
)
LONGEST_TEMPLATE = 10_000
LARGEST_NUMBER = 10_000
LONGEST_TEXT = 10_000_000
_REFUSED = (
    nodes.Macro,
    nodes.CallBlock,
    nodes.Include,
    nodes.Import,
    nodes.FromImport,
    nodes.Extends,
    nodes.Block,
    nodes.Pow,
)


class BoundedEnvironment(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """A jinja2 environment that refuses templates with unbounded work."""

    intercepted_binops = frozenset(["*", "%"])

    def __init__(self) -> None:
        super().__init__(undefined=jinja2.StrictUndefined)
        self.globals.clear()
        self.filters = {name: self.filters[name] for name in FILTERS} | {"replace": _replaced}

    def parse(self, source: str, *args: Any, **options: Any) -> nodes.Template:
        if len(source) > LONGEST_TEMPLATE:
            raise jinja2.TemplateSyntaxError(f"longer than {LONGEST_TEMPLATE} characters", 1)
        try:
            tree = super().parse(source, *args, **options)
        except RecursionError:
            raise jinja2.TemplateSyntaxError("nested too deeply", 1) from None
        for node in tree.find_all(nodes.Node):
            _check(node)
        return tree

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if not all(
            isinstance(side, (int, float)) and abs(side) <= LARGEST_NUMBER**2 for side in (left, right)
        ):
            raise jinja2.sandbox.SecurityError(f"{operator} works on numbers only, and not on large ones")
        return super().call_binop(context, operator, left, right)


def _check(node: nodes.Node) -> None:
    if isinstance(node, _REFUSED):
        raise jinja2.TemplateSyntaxError(
            f"{type(node).__name__.lower()} is not part of a template here", node.lineno
        )
    if isinstance(node, nodes.For) and (
        node.recursive or any(inner is not node for inner in node.find_all(nodes.For))
    ):
        raise jinja2.TemplateSyntaxError("a loop inside a loop is not part of a template here", node.lineno)
    if (
        isinstance(node, nodes.Const)
        and isinstance(node.value, (int, float))
        and abs(node.value) > LARGEST_NUMBER
    ):
        raise jinja2.TemplateSyntaxError(f"a number over {LARGEST_NUMBER}", node.lineno)
    if isinstance(node, nodes.Call):
        name = node.node.attr if isinstance(node.node, nodes.Getattr) else None
        if name not in METHODS:
            raise jinja2.TemplateSyntaxError(f"only {', '.join(sorted(METHODS))} can be called", node.lineno)


def _replaced(text: str, old: str, new: str, count: int | None = None) -> str:
    """The filter `replace`, for texts that stay within bounds."""
    text, old, new = str(text), str(old), str(new)
    times = text.count(old) if count is None else min(text.count(old), count)
    if len(text) + times * len(new) > LONGEST_TEXT:
        raise jinja2.sandbox.SecurityError("replace makes the text too long")
    return text.replace(old, new, -1 if count is None else count)
