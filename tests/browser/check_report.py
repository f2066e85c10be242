"""What a report does in a real Chromium, opened from file:// and asserted on the document: `make pages`.

    python -m tests.browser.check_report OUT [--pictures FOLDER]

OUT is the folder of a run. Its own report is checked, then one of a corpus whose texts attack the page. Prints one JSON
object; the exit code is 1 where something does not do what it says. Needs Chromium, so it is no part of the test suite.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.browser.chromium import Browser, Page
from tests.report.conftest import _tally, candidate, parsed_trace
from tests.report.data_pages import about, by_python
from zero_engine.contracts.manifest import InputInfo, Manifest, ModelInfo, ShardEntry
from zero_engine.pipeline import Gate
from zero_engine.records import Rejection, Trajectory, Verdict
from zero_engine.report import write_report
from zero_engine.write.finish import finish_dataset
from zero_engine.write.shards import write_candidates, write_rejections, write_trajectories

FIRST_PICTURE_S, LARGEST_BYTES = 2.0, 3_000_000
ATTACKS = (
    "<script>window.hit=1</script>",
    '"><img src=x onerror="window.hit=2">',
    "</script><script>parent.window.hit=3;window.hit=3</script>",
    "<svg onload=window.hit=4>",
    "javascript:window.hit=5",
    "<!--<script>{{ 7*7 }}${window.hit=6}",
    "\u202e\u2028\u0000<iframe srcdoc='<script>top.hit=7</script>'>",
    "__proto__",
)


def check(page: Page, out: Path) -> dict:
    """Everything that the page says it does, once."""
    told = about(out / "report.html")
    facts: dict = {"first_picture_s": round(page.first_picture_s, 3)}
    assert page.first_picture_s < FIRST_PICTURE_S, facts
    page.settled()
    tiles = "document.querySelectorAll('button.tile').length"
    page.wait(f"{tiles} > 0")
    for wall in (wall for wall in told["walls"] if wall["count"]):
        page.go(f"#pictures/{wall['key']}/0")
        drawn = page.js(
            "[...document.querySelectorAll('.chip[aria-current] b')].map((b) => b.textContent).join()"
        )
        assert drawn == f"{wall['count']:,}", (wall["key"], drawn)
        assert 0 < page.js(tiles) <= wall["pages"][0]
    facts["walls"] = sum(wall["count"] > 0 for wall in told["walls"])
    paging(page, told)
    facts["search_s"] = searching(page)
    story(page)
    rejected(page, told)
    facts["slider"] = slider(page, told)
    facts["gates_as_a_run"] = thresholds(page, told, out)
    assert page.problems == [], page.problems
    outside = [url for url in page.requests if not url.startswith(("file://", "data:"))]
    assert outside == [], outside
    return facts


def paging(page: Page, told: dict) -> None:
    """The arrow keys turn the pages of a wall; the box jumps."""
    wall = max(told["walls"], key=lambda wall: len(wall["pages"]))
    last = len(wall["pages"]) - 1
    if not last:
        return
    page.go(f"#pictures/{wall['key']}/0")
    first = page.js("document.querySelector('button.tile .text').textContent")
    page.press("ArrowRight")
    page.wait(f"location.hash === '#pictures/{wall['key']}/1'")
    page.settled()
    page.wait(f"document.querySelector('button.tile .text').textContent !== {json.dumps(first)}")
    page.press("ArrowLeft")
    page.wait(f"location.hash === '#pictures/{wall['key']}/0'")
    page.settled()
    page.js(
        f"{{const b = document.querySelector('.pager input'); b.value = {last + 1};"
        "b.dispatchEvent(new Event('change'))}"
    )
    page.wait(f"location.hash === '#pictures/{wall['key']}/{last}'")
    page.settled()
    page.wait("document.querySelector('.pager [data-key=next][aria-disabled]')")


def searching(page: Page) -> float:
    """`/` goes to the box; a trace is found by its id, and alone."""
    page.go("#traces/0")
    name = page.js("document.querySelector('button.row .small').textContent.split(' · ')[0]")
    page.press("/")
    assert page.js("document.activeElement.id") == "search"
    began = time.monotonic()
    page.write(name)
    page.wait("location.hash.startsWith('#search/')")
    page.wait("document.querySelector('[role=status][data-done]')", 60)
    seconds = time.monotonic() - began
    assert page.js("document.querySelectorAll('button.row').length") == 1
    page.press("Escape")
    for odd in ("%", "zzqqxx%", "%E0%A4%A"):
        page.go(f"#search/{odd}")
        page.wait(f"document.querySelector('#view h2').textContent === '“{odd}”'")
    page.go("#search/zzqqxx")
    page.wait("document.querySelector('[role=status][data-done]')", 60)
    assert page.js("document.querySelectorAll('button.row').length") == 0
    return round(seconds, 2)


def story(page: Page) -> None:
    """A trace opens with Enter, shows its pictures, has its candidates behind a click, and turns with the arrows."""
    page.go("#traces/0")
    page.js("document.querySelector('button.row').focus()")
    page.press("Enter")
    page.wait("document.getElementById('story').open && document.querySelector('#story .steps li')")
    first = page.js("document.getElementById('story-title').textContent")
    steps = page.js("document.querySelectorAll('#story .steps > li').length")
    assert steps > 0 and page.js("document.querySelectorAll('#story .step img').length") > 0
    assert page.js("[...document.querySelectorAll('#story li details')].every((d) => !d.open)")
    page.js("document.querySelector('#story li summary').click()")
    page.wait("document.querySelector('#story .candidates').checkVisibility()")
    page.press("ArrowRight")
    page.wait(f"document.getElementById('story-title').textContent !== {json.dumps(first)}")
    page.press("ArrowLeft")
    page.wait(f"document.getElementById('story-title').textContent === {json.dumps(first)}")
    page.press("Escape")
    page.wait("!document.getElementById('story').open")


def rejected(page: Page, told: dict) -> None:
    """Every rejected trace is listed, by reason too, with its record."""
    for reason, count in told["whole"].items():
        page.go("#rejected/" + reason.replace("/", "%2F"))
        page.wait("document.querySelector('[role=status][data-done]')", 60)
        assert page.js("document.querySelectorAll('button.row').length") == min(count, 200)
        page.js("document.querySelector('button.row').click()")
        page.wait("document.getElementById('story').open")
        page.wait("document.querySelector('#story pre')")
        page.press("Escape")


def slider(page: Page, told: dict) -> dict:
    """The slider's figures are `gate.js`'s; what it flips is shown; the run's own gate gives the run's figures."""
    score = next(iter(told["gate"]["min"]))
    page.go(f"#scores/{score}")
    page.wait("document.querySelector('[data-count=rows]')", 60)
    assert page.js("document.body.textContent.includes('these figures are the run')")
    before = page.js("document.querySelector('[data-count=rows]').textContent")
    began = time.monotonic()
    page.js(
        "{const s = document.getElementById('threshold-min'); s.value = 700; s.dispatchEvent(new Event('input'))}"
    )
    page.wait("document.querySelector('[data-flips=lost]')")
    seconds = time.monotonic() - began
    wanted = (
        "(async () => { const d = await allColumns();"
        "const a = judge(d, gateOf(asked)), b = judge(d, gateOf(about.gate));"
        "return [a.rows.toLocaleString('en'), flips(b, a).lost.length.toLocaleString('en')] })()"
    )
    rows, lost = page.js(wanted)
    assert page.js("document.querySelector('[data-count=rows]').textContent") == rows
    assert rows != before or not told["gate"]["min_pictures"], "a gate that keeps every trace keeps its rows"
    assert page.js("document.querySelector('[data-flips=lost]').textContent").startswith(f"{lost} step")
    assert page.js("document.querySelectorAll('[data-flips=lost] + .wall img').length") > 0
    assert f"{score}: " in page.js("document.querySelector('pre').textContent")
    return {
        "score": score,
        "rows_before": before,
        "rows_after": rows,
        "steps_lost": lost,
        "s": round(seconds, 3),
    }


def thresholds(page: Page, told: dict, out: Path) -> list[dict]:
    """Gates typed into the page show the counts of `score.gate`, by which a run decides: minimum, maximum, both, scores
    that some drawings lack, and every answer to a step without a picture."""
    names = [score["name"] for score in told["scores"]]
    first = next(iter(told["gate"]["min"]))
    sparse = page.js(
        "allColumns().then((d) => Object.keys(d.scores).find((n) => d.scores[n].some((v) => v !== v)))"
    )
    asked = [
        ({"min": {first: 0.6}}, {}),
        ({"max": {first: 0.7}}, {"min_pictures": 2}),
        ({"min": {first: 0.2}, "max": {first: 0.9}}, {"on_reject": "drop_trace"}),
        ({"min": {names[-1]: 0.3}, "max": {names[0]: 0.8}}, {"on_reject": "drop_step"}),
    ]
    if sparse:
        asked.append(({"max": {sparse: 0.5}}, {"on_reject": "drop_trace"}))
    gates, seen = [], []
    for sides, others in asked:
        page.js(f"Object.assign(asked, {{min: {{}}, max: {{}}, ...{json.dumps(others)}}})")
        for side, shares in sides.items():
            for name, share in shares.items():
                page.go("#run")
                page.go(f"#scores/{name}")
                at_share = f"threshold(sorted(d.scores.{name}), {share}, {json.dumps(side == 'min')})"
                value = page.js(f"allColumns().then((d) => {at_share})")
                page.js(
                    f"{{const b = document.querySelector('#threshold-{side} + input'); b.value = {value};"
                    "b.dispatchEvent(new Event('change'))}"
                )
        gates.append(Gate.model_validate(page.js("asked")))
        counts = "[...document.querySelectorAll('[data-count]')].map((c) => [c.dataset.count, c.textContent])"
        seen.append(dict(page.js(counts)))
        page.js("Object.assign(asked, about.gate, {min: {...about.gate.min}, max: {...about.gate.max}})")
    found = []
    for gate, shown, counts in zip(gates, seen, by_python(out, gates), strict=True):
        wanted = {"rows": counts["rows"], "pictures in rows": counts["kept"]}
        wanted |= {f"traces: {name}": n for name, n in counts["rejected"].items()}
        wanted |= {f"drawings: {name}": n for name, n in counts["reasons"].items()}
        shown = {name: int(text.replace(",", "")) for name, text in shown.items() if name != "rate"}
        assert wanted == {name: n for name, n in shown.items() if n or name in wanted}, (gate, shown, wanted)
        kept = gate.model_dump(mode="json", exclude_defaults=True, exclude={"rank"})
        found.append({"gate": kept, "rows": counts["rows"], "pictures": counts["kept"]})
    return found


def on_a_phone(page: Page) -> None:
    """No view is wider than the screen, and the texts of a list have its width."""
    for address in ("#pictures/kept/0", "#traces/0", "#rejected/0", "#scores/likelihood", "#run"):
        page.go(address)
        assert page.js("document.documentElement.scrollWidth") <= 390, address
    page.go("#traces/0")
    assert page.js("document.querySelector('button.row .text').clientWidth") > 300


def hostile(folder: Path) -> Path:
    """A folder whose every text attacks the page."""
    for name in ("data", "candidates", "rejected"):
        (folder / name).mkdir(parents=True)
    rows, drawn, texts, refused = [], [], {}, []
    for number, attack in enumerate(ATTACKS):
        name = f"{attack}{number}"
        drawings = [candidate(name, step, 0) for step in range(2)]
        verdicts = tuple(Verdict(step, "kept", None, drawings[step]) for step in range(2))
        rows.append(Trajectory(parsed_trace(name, (attack, attack), attack), verdicts))
        drawn += drawings
        texts.update({(name, step): attack for step in range(2)})
        refused.append(
            Rejection(
                f"{attack}-bad{number}", "parse", "empty_rationale", attack, record={"question": attack}
            )
        )
    entry = ShardEntry(
        index=0,
        first_row=0,
        records=len(rows) * 2,
        digest="0" * 64,
        keys={"gate": "0" * 16},
        counts=_tally(len(rows), len(refused)),
        data=write_trajectories(folder / "data/data-00000.arrow", rows, "p", "m").renamed(
            "data/data-00000.arrow"
        ),
        candidates=write_candidates(folder / "candidates/part-00000.arrow", drawn, texts).renamed(
            "candidates/part-00000.arrow"
        ),
        rejections=write_rejections(folder / "rejected/part-00000.jsonl", refused).renamed(
            "rejected/part-00000.jsonl"
        ),
    )
    manifest = Manifest(
        name="hostile",
        created=ATTACKS[1],
        versions={"zero-engine": ATTACKS[0]},
        pipeline={"input": {"path": ATTACKS[2]}, "gate": {"min": {"likelihood": -9}, "max": {}}},
        fingerprints={"pipeline": "p"},
        model=ModelInfo(name=ATTACKS[3], fingerprint="m"),
        input=InputInfo(paths=[ATTACKS[5]], records=len(rows) * 2, digest="d"),
        shards=[entry],
        counts={
            **_tally(len(rows), len(refused)),
            "reasons": {f"parse: {ATTACKS[1]}": 1},
            "notes": {ATTACKS[0]: 1},
        },
    )
    finish_dataset(folder, manifest, {"counts": manifest.counts})
    write_report(folder)
    return folder


def attacked(page: Page) -> int:
    """Goes everywhere; no script of theirs may have run, and nothing may have been asked for."""
    page.settled()
    for address in (
        "#pictures/kept/0",
        "#traces/0",
        "#rejected/0",
        "#scores/likelihood",
        "#run",
        "#search/script",
    ):
        page.go(address)
    page.go("#traces/0")
    for place in range(len(ATTACKS)):
        page.js(f"document.querySelectorAll('button.row')[{place}].click()")
        page.wait(
            "document.getElementById('story').open && document.querySelectorAll('#story .step img').length === 2"
        )
        page.press("Escape")
    page.go("#rejected/0")
    page.js("document.querySelector('button.row').click()")
    page.wait("document.querySelector('#story pre')")
    assert page.js("window.hit === undefined"), page.js("window.hit")
    assert page.js("document.querySelectorAll('body iframe:not([hidden]), [onerror], [onload]').length") == 0
    assert page.problems == [], page.problems
    assert all(url.startswith(("file://", "data:")) for url in page.requests)
    return len(ATTACKS)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=Path, help="save screenshots into this folder")
    options = parser.parse_args()
    out = options.out
    files = [out / "report.html", *(out / "report").iterdir()]
    facts: dict = {
        "report": out.name,
        "files": len(files),
        "largest_page_bytes": max(f.stat().st_size for f in files),
    }
    assert facts["largest_page_bytes"] < LARGEST_BYTES, facts
    with Browser() as browser, tempfile.TemporaryDirectory() as folder:
        facts |= check(browser.open(out / "report.html"), out)
        on_a_phone(browser.open(out / "report.html", width=390, height=844))
        facts["attacks_withstood"] = attacked(browser.open(hostile(Path(folder, "hostile")) / "report.html"))
        if options.pictures:
            options.pictures.mkdir(parents=True, exist_ok=True)
            for name, size in (
                ("desktop", {}),
                ("dark", {"dark": True}),
                ("phone", {"width": 390, "height": 844}),
            ):
                page = browser.open(out / "report.html", **size)
                page.settled()
                page.picture(options.pictures / f"{name}.png")
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        print(f"failed: {error}", file=sys.stderr)
        raise
