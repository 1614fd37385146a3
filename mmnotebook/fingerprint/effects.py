"""All effects of a function, as far as its code shows them."""

from __future__ import annotations

from typing import Any

from mmnotebook.errors import one_line
from mmnotebook.fingerprint import notes
from mmnotebook.fingerprint.notes import Refusal
from mmnotebook.fingerprint.patches import scan_modules_once
from mmnotebook.fingerprint.unknowable import Unknowable
from mmnotebook.fingerprint.walk import Walk


def effects(value: Any) -> list[Refusal]:
    """Return what makes the results of a function depend on more than its argument.

    Effects of a function that the user declared with `mm.pure` or `mm.depends` are left out.

    Parameters
    ----------
    value
        A function, or any object that code calls.

    Returns
    -------
    list of Refusal
        Each has the effect (`impure.CLOCK`, ..., or "" for another reason) and a text. If the code
        cannot be analyzed to its end, the last one says why.

    Examples
    --------
    >>> import random
    >>> [(one.does, one.words) for one in effects(random.random)]
    [('draws random numbers', 'it draws random numbers (random)')]
    """
    walk = Walk()
    found: list[Refusal] = []
    try:
        with scan_modules_once():
            walk.called(value)
            walk.rest()
    except (Unknowable, RecursionError) as reason:
        found.append(Refusal("", str(reason) or "it is nested too deeply"))
    except Exception as error:  # noqa: BLE001 - whatever a foreign object raises
        found.append(Refusal("", f"it cannot be analyzed: {one_line(error)}"))
    said = [*notes.refusals(walk.said), *found]
    return list({(one.does, one.words): one for one in said}.values())
