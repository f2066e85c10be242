"""HTML pages to look at: one for a few previewed traces, one for a finished dataset.

page.py     the parts of a page, and its writer
charts.py   score histograms
summary.py  report.html of a finished dataset
"""

from zero_engine.report.summary import write_report

__all__ = ["write_report"]
