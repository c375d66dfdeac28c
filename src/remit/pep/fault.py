"""What may be told of an error of ours. Its text may hold what an agent sent, so it goes nowhere."""

import traceback
from pathlib import PurePath


def fault(error: BaseException) -> dict[str, str]:
    """Its type (`error`), and the place in our code where it came up (`place`, `FILE:LINE`)."""
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = f"{PurePath(place[0].filename).name}:{place[0].lineno}" if place else "nowhere"
    return {"error": type(error).__name__, "place": where}
