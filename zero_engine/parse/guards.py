"""Guards: spans of a rationale that are never cut.

Display math (`$$..$$`, `\\[..\\]`, `\\begin{X}..\\end{X}`), inline math (`$..$`, `\\(..\\)`), code fences (an
unclosed one runs to the end), `[asy]..[/asy]` drawings and tables. `mask` replaces each by filler
of the same length, so that a rule may look for boundaries in the mask with plain regular
expressions and cut the text at the same places. One pass; every closer is searched at most once
beyond the place where it is found, so time is linear in the length.

A dollar sign is inline math only by pandoc's rule (no blank inside its edges, no digit after the
closing one, nor a `<<..>>` note), which keeps `$24.00 and $5` money. Of HTML, `<table>`, `<pre>`, `<code>`, `<svg>`
and `<math>` with what they hold are guarded.
"""

import re

FILLER = "\x01"
SIGNS = re.compile(r"[$\\`~|\[]")
"""What every opener begins with, blanks of an indented fence or table row aside."""
SIGNS_AND_TAGS = re.compile(r"[$\\`~|\[<]")
OPENERS = re.compile(
    r"""(?P<fence>(?:```+|~~~+))
      | (?P<escaped>\\[$\\])
      | (?P<dollars>\$\$)
      | (?P<inline>\$(?=[^\s$])(?!<<)(?:[^$\\\n]|\\[^\n])*?(?<!\s)\$(?![\d<]))
      | (?P<bracket>\\\[)
      | (?P<paren>\\\()
      | \\begin\{(?P<environment>[A-Za-z]{1,32}\*?)\}
      | (?P<drawing>\[asy\])
      | <(?P<tag>table|pre|code|svg|math)\b[^<>\n]{0,200}>
      | (?P<table>\|[^\n]*(?:\n[ \t]*\|[^\n]*)+)""",
    re.VERBOSE,
)
ENVIRONMENT = re.compile(r"\\(?P<edge>begin|end)\{(?P<name>[A-Za-z]{1,32}\*?)\}")
AT_LINE_START = "`~|"
"""Signs that open a fence or a table, and only at the beginning of a line."""
CLOSING_DOLLAR = re.compile(r"\$(?![\d<])")
"""Money has none, and every span between dollars has one."""
CLOSERS = {"dollars": "$$", "bracket": "\\]", "paren": "\\)", "drawing": "[/asy]"}


def mask(text: str) -> str:
    """The text with every guarded span replaced by as many FILLER characters; the text itself where there is none."""
    if not _may_need_guards(text) or not (spans := guarded_spans(text)):
        return text
    pieces: list[str] = []
    end = 0
    for start, stop in spans:
        pieces.append(text[end:start])
        pieces.append(FILLER * (stop - start))
        end = stop
    pieces.append(text[end:])
    return "".join(pieces)


def guarded_spans(text: str) -> list[tuple[int, int]]:
    """(start, stop) of every guarded span, in order, none overlapping another."""
    spans: list[tuple[int, int]] = []
    unclosed: set[str] = set()
    ends: dict[int, int] | None = None
    position = 0
    signs = SIGNS_AND_TAGS if "</" in text else SIGNS
    while sign := signs.search(text, position):
        position = sign.end()
        if sign.group() in AT_LINE_START and not _begins_line(text, sign.start()):
            continue
        found = OPENERS.match(text, sign.start())
        kind = found.lastgroup if found else None
        if not found or not kind:
            continue
        position = found.end()
        if kind in ("inline", "table"):
            spans.append(found.span())
        elif kind == "environment":
            ends = _environments(text) if ends is None else ends
            if (closed := ends.get(found.start(), -1)) > 0:
                position = closed
                spans.append((found.start(), closed))
        elif kind != "escaped" and (closed := _close(text, kind, found, unclosed)) > 0:
            position = closed
            spans.append((found.start(), closed))
    return spans


def _close(text: str, kind: str, found: re.Match[str], unclosed: set[str]) -> int:
    """End of the span that `found` opens, or -1 where nothing closes it."""
    if kind == "fence":
        fence = found.group()
        end = re.compile(r"\n[ \t]*" + re.escape(fence) + r"[^\S\n]*(?=\n|$)").search(text, found.end())
        return end.end() if end else len(text)
    closer = f"</{found['tag']}>" if kind == "tag" else CLOSERS[kind]
    if closer in unclosed:
        return -1
    at = text.find(closer, found.end())
    if at >= 0:
        return at + len(closer)
    unclosed.add(closer)
    return -1


def _environments(text: str) -> dict[int, int]:
    """End of every environment that closes, by where it begins; equal names nest."""
    ends: dict[int, int] = {}
    begun: dict[str, list[int]] = {}
    for edge in ENVIRONMENT.finditer(text):
        opened = begun.setdefault(edge["name"], [])
        if edge["edge"] == "begin":
            opened.append(edge.start())
        elif opened:
            ends[opened.pop()] = edge.end()
    return ends


def _begins_line(text: str, at: int) -> bool:
    while at and text[at - 1] in " \t":
        at -= 1
    return not at or text[at - 1] == "\n"


def _may_need_guards(text: str) -> bool:
    """A quick look, for single characters: words are looked for far more slowly."""
    if "\\" in text or "`" in text or "~" in text or "[" in text or "|" in text or "</" in text:
        return True
    return "$" in text and CLOSING_DOLLAR.search(text) is not None
