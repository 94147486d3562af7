"""When which key is struck: drawn from published figures of how people type.

Dhakal, Feit, Kristensson and Oulasvirta, Observations on Typing from 136 Million Keystrokes (CHI
2018): the mean interval between keys is 238.7 ms with a standard deviation of 111.6 ms over people,
and corrections are 6.3 % of all keys. Intervals are log-normal with that mean and deviation (that
the log-normal fits: González, Calot and Ierache, Heliyon 2021). Before each line stands one mental
operator of the keystroke-level model (Card, Moran and Newell 1980): 1.35 s in the mean. That the
first key of a word takes longer is known (Ostry 1983); that it is by half is assumed, and the
other intervals are so much shorter that the mean stays. A typo is one wrong key, seen at once.

Enter brings the next line's indentation with it, as an editor's automatic indentation does at best.
"""

from __future__ import annotations

import math
import random
import re
import string
from dataclasses import dataclass

MEAN_SECONDS, DEVIATION_SECONDS = 0.2387, 0.1116
LINE_SECONDS = 1.35
WORD_FACTOR = 1.5
CORRECTIONS = 0.063
TYPOS = CORRECTIONS / (1 - 2 * CORRECTIONS)
"""Of all keys of a text; each is one wrong key and one backspace more."""
BACKSPACE = "\b"

_SIGMA = math.sqrt(math.log(1 + (DEVIATION_SECONDS / MEAN_SECONDS) ** 2))
_KEY = re.compile(r"\n[ \t]*|.")


@dataclass(frozen=True, slots=True)
class Stroke:
    """A key struck after a pause in seconds: its text or BACKSPACE."""

    pause: float
    text: str
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the text, and the strokes it takes: more than one where there is a typo."""

    text: str
    strokes: tuple[Stroke, ...]


def split_into_keys(text: str) -> list[str]:
    """The text by key; a newline goes together with the indentation after it."""
    return _KEY.findall(text)


def keys_of(text: str, seed: str) -> list[Key]:
    """A text, not an empty one, as somebody types it; the same for the same seed."""
    draw = random.Random(seed)
    texts = split_into_keys(text)
    before = ["\n", *texts]
    starts = [_starts_word(*pair) for pair in zip(before, texts, strict=False)]
    usual = MEAN_SECONDS / (1 + (WORD_FACTOR - 1) * sum(starts) / len(texts))
    keys = []
    for last, key, starts_word in zip(before, texts, starts, strict=False):
        pause = _interval(draw, usual * (WORD_FACTOR if starts_word else 1))
        if last.startswith("\n"):
            pause += _interval(draw, LINE_SECONDS)
        strokes = [Stroke(pause, key)]
        if draw.random() < TYPOS and not key.startswith("\n"):
            wrong = draw.choice([each for each in string.ascii_lowercase if each != key])
            strokes = [
                Stroke(pause, wrong, wrong=True),
                Stroke(_interval(draw, MEAN_SECONDS), BACKSPACE),
                Stroke(_interval(draw, MEAN_SECONDS), key),
            ]
        keys.append(Key(key, tuple(strokes)))
    return keys


def _starts_word(before: str, key: str) -> bool:
    return key.isalnum() and not (before.isalnum() or before == "_")


def _interval(draw: random.Random, mean: float) -> float:
    """Seconds, log-normal; all have the same deviation in proportion."""
    return draw.lognormvariate(math.log(mean) - _SIGMA**2 / 2, _SIGMA)
