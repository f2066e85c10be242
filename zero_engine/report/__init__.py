"""HTML pages to look at: one for a few previewed traces, one for a finished dataset.

page.py     what a page is made of, and the writer
charts.py   score histograms
summary.py  report.html of a finished dataset
"""

from zero_engine.report.summary import write_report

__all__ = ["write_report"]
