"""Dates: one day, however it is written (`May 5, 2021`, `5th of May 2021`, `2021-05-05`).

`05/06/2021` is two days, by who reads it, and therefore none here.
"""

import re

MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,? )?(?:the )?"
FORMS = [
    re.compile(WEEKDAY + form)
    for form in (
        rf"{MONTH} {DAY},? ?(?P<year>\d{{4}})",
        rf"{DAY} (?:of )?{MONTH},? (?P<year>\d{{4}})",
        r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})",
    )
]


def date(text: str) -> tuple[int, int, int] | None:
    """(year, month, day) that a text in lower case names, or None."""
    if len(text) > 40 or not text[-2:].isdigit():
        return None
    for form in FORMS:
        if found := form.fullmatch(text):
            month = found["month"]
            number = int(month) if month.isdigit() else MONTHS.index(month[:3]) + 1
            return int(found["year"]), number, int(found["day"])
    return None
