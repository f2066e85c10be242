"""What is shown of long work: on a terminal, in a log, in a notebook, and of a run's own figures."""

import io
import sys
import time
from types import ModuleType, SimpleNamespace

import pytest

from zero_engine import progress as module
from zero_engine.progress import Console, Silent, clock, on_items, shown
from zero_engine.run.progress import Account


class Screen(io.StringIO):
    """A terminal of 80 columns that remembers what is written."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch) -> Screen:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    return Screen()


def ended(console: Console) -> None:
    console.stop()


def test_a_stage_shows_its_name_at_once_and_its_clock_while_nothing_happens(terminal, monkeypatch):
    monkeypatch.setattr(module, "TICK_S", 0.01)
    console = Console(terminal)
    console.stage("loading nano")
    assert terminal.getvalue().startswith("loading nano  0:00")
    console._began -= 61
    deadline = time.monotonic() + 10
    while "1:01" not in terminal.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)
    ended(console)
    assert "loading nano  1:0" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[J"), "nothing is left of it"


def test_done_rate_and_time_left_are_on_one_line_and_parts_below(terminal):
    console = Console(terminal)
    console.stage("drawing", 100, "records", done=20)
    console._paced -= 10
    console._began -= 10
    console.update(30, ["5.0 pictures/s"], ["shard 3: drawing"], begun=10)
    line, part = console.lines()
    ended(console)
    assert line == "drawing  30 of 100 records  0:10  ETA 0:30  5.0 pictures/s", "20 in 10 s, 60 are left"
    assert part == "  shard 3: drawing"


def test_a_long_line_is_cut_to_the_terminal_and_many_parts_are_counted(terminal):
    console = Console(terminal)
    console.stage("reading " + "日本" * 60)
    console.update(0, parts=[f"shard {n}" for n in range(9)])
    assert console.lines()[-1] == "  ... and 3 more"
    ended(console)
    first, second, *_ = terminal.getvalue().split("\r")[0].split("\n")
    assert first.endswith("...") and len(first) < 60, "letters of two columns count as two"
    assert second == "  0:00", "what does not fit any more stands below"


def test_figures_that_do_not_fit_stand_on_a_line_below(terminal):
    console = Console(terminal)
    console.stage("drawing", 1319, "records", done=4)
    console.update(38, ["66.2 pictures/s", "42 % distinct", "93 % of steps kept"], ["shard 3: drawing"])
    console.say("done")
    ended(console)
    shown = terminal.getvalue().split("done\n")[1].split("\r")[0].split("\n")
    assert shown == [
        "drawing  38 of 1,319 records  0:00  66.2 pictures/s  42 % distinct",
        "  93 % of steps kept",
        "  shard 3: drawing",
    ]


def test_a_message_breaks_between_words_and_keeps_commands_and_paths_whole(terminal):
    console = Console(terminal)
    path = "/long/" + "folder/" * 12
    console.say(
        f"stopped with 3 shards committed in {path}. Run `zero-engine run my.yaml --limit 200` to go on."
    )
    assert terminal.getvalue().splitlines() == [
        "stopped with 3 shards committed in",
        f"{path}.",
        "Run `zero-engine run my.yaml --limit 200` to go on.",
    ]


def test_a_stage_may_go_on_with_a_clock_and_tell_its_pace_from_its_own_start(terminal):
    console, now = Console(terminal), time.monotonic()
    console.stage("drawing", 100, "records", since=now - 60, paced_since=now - 10)
    console.update(20)
    assert console.lines() == ["drawing  20 of 100 records  1:00  ETA 0:40"]
    console.update(20, ["about 0:05 left"], eta=False)
    assert console.lines() == ["drawing  20 of 100 records  1:00  about 0:05 left"]
    assert console.doing() == "drawing, 20 of 100 records"
    ended(console)
    assert console.doing() == ""


def test_a_message_stays_and_cannot_command_the_terminal(terminal):
    console = Console(terminal)
    console.stage("drawing")
    console.say("shard 1: \x1b[2Jgone")
    ended(console)
    assert "shard 1: \\u001b[2Jgone\n" in terminal.getvalue()


@pytest.mark.parametrize("dumb", [True, False])
def test_without_a_screen_there_are_lines_now_and_then_and_no_escape(monkeypatch, dumb):
    monkeypatch.setattr(module, "TICK_S", 0.01)
    monkeypatch.setattr(module, "LOG_EVERY_S", 30.0 if dumb else 0.2)
    monkeypatch.setenv("TERM", "dumb" if dumb else "xterm")
    stream = Screen() if dumb else io.StringIO()
    console = Console(stream)
    console.stage("drawing", 8, "records")
    console.update(2, parts=["shard 1: drawing, 4 of 16 pictures"])
    if dumb:
        assert stream.getvalue() == "drawing  0 of 8 records  0:00\n", "every stage has its line at once"
    else:
        assert stream.getvalue() == "", "an error is then the only line of a short command"
        deadline = time.monotonic() + 10
        while not stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
        line = stream.getvalue().splitlines()[0]
        assert line.startswith("drawing  2 of 8 records") and line.endswith(
            "; shard 1: drawing, 4 of 16 pictures"
        )
    ended(console)
    assert "\x1b" not in stream.getvalue()


def test_a_notebook_shows_the_lines_in_its_cell(monkeypatch):
    told = []
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    shell = type("ZMQInteractiveShell", (), {})
    ipython.get_ipython = shell
    handle = SimpleNamespace(update=lambda data, raw: told.append(data["text/plain"]))

    def show(data, raw, display_id):
        told.append(data["text/plain"])
        return handle

    display.display = show
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    console = shown(None)
    assert isinstance(console, Console)
    console.stage("drawing", 4, "records")
    console.update(2)
    console._draw()
    ended(console)
    assert told[0].startswith("drawing  0 of 4") and told[1].startswith("drawing  2 of 4") and told[-1] == ""


def test_who_shows_it_can_be_said(monkeypatch):
    assert isinstance(shown(False), Silent) and isinstance(shown(True), Console)
    mine = Silent()
    assert shown(mine) is mine and isinstance(shown(None), Silent), "a test has no terminal"


def test_items_are_counted_as_they_begin():
    told = []
    begin = on_items(SimpleNamespace(stage=lambda *a: told.append(a), update=lambda n, parts: told.append((n, parts))),
                     "validating", 2, "files")  # fmt: skip
    begin("data/a.arrow")
    begin("data/b.arrow")
    assert told == [("validating", 2, "files"), (0, ["data/a.arrow"]), (1, ["data/b.arrow"])]


def test_times_read_as_clocks():
    assert [clock(s) for s in (0, 7.4, 750, 3731)] == ["0:00", "0:07", "12:30", "1:02:11"]


class Shown(Silent):
    def update(self, done, figures=(), parts=(), *, begun=0.0, name=None, eta=True) -> None:
        self.last = (done, list(figures), list(parts), round(begun, 2), name)


COUNTS = {
    "records": 2,
    "traces": 2,
    "steps": 10,
    "pictures": 40,
    "distinct_pictures": 10,
    "pictures_kept": 9,
}


def test_a_run_counts_kept_steps_and_the_pictures_inside_its_shards():
    screen = Shown()
    account = Account(screen, "nano")
    account.begin(8, 0)
    for shard in range(3):
        account.placed(shard, 2)
    account.heard({"shard": 0, "stage": "loading", "seconds": 1})
    assert screen.last[2] == ["shard 0: loading nano, 0:01"] and screen.last[4] == "loading nano"
    account.heard({"shard": 1, "stage": "render", "seconds": 4, "drawn": 20, "of": 40, "distinct": 6})
    done, figures, parts, begun, name = screen.last
    assert parts[1] == "shard 1: drawing, 20 of 40 pictures (6 distinct), 0:04"
    assert (done, begun, name) == (0, 0.9, "drawing")
    account._drawing_since[1] -= 4
    account.committed(0, COUNTS, drawn=40)
    done, figures, parts, _, _ = screen.last
    assert done == 2 and len(parts) == 1 and "90 % of steps kept" in figures, "9 of 10 steps have a picture"
    assert "27 % distinct" in figures, "16 of 60 pictures"
    assert account.drain() == (
        "finishing 1 shard (about 0:05); press again to stop now. The same command goes on from here."
    )
    account.heard({"shard": 1, "stage": "done"})
    assert account.drain().startswith("stopping; press again to stop now")


def test_what_is_heard_of_a_shard_that_nobody_placed_is_nothing():
    screen = Shown()
    account = Account(screen, "nano")
    account.heard({"shard": 5, "stage": "render"})
    assert screen.last[2] == []
