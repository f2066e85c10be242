"""Pages and listings to look at what a run wrote, finished or not.

folder.py      a folder read trace by trace: what every page and listing is made of
summary.py     report.html: told.py and judged.py say what its data pages hold, pages.py writes them, assets/ shows them
inspection.py  `inspect` and `sample`
diff.py        two folders held against each other; diff_page.py is its page
calibration.py thresholds from drawings, with what lies around them
sides.py       a page of pictures side by side, without a script
page.py        a page about a few traces, for `preview`; answers.py one of a model's answers
"""

from zero_engine.report.summary import write_report

__all__ = ["write_report"]
