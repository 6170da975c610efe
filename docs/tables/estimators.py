"""Write the table of docs/estimators.md from what the classes say of themselves."""

import inspect
import re
from pathlib import Path

from softdraw import estimators
from softdraw.estimators import Estimator

PAGE = Path(__file__).parent.parent / "estimators.md"
HEAD = ("name", "family", "needs", "target", "unbiased", "evaluations of f", "default tau", "remarks")


def row(name: str) -> tuple[str, ...]:
    """The cells of one estimator."""
    cls = type(estimators.get(name))
    unbiased = "no" if not cls.unbiased else "yes" if cls.target == "expectation" else "yes, for its target"
    own = cls.evaluations is not Estimator.evaluations
    evaluations = str(inspect.getdoc(cls.evaluations)).split(".")[0] if own else "S"
    tau = "" if cls.default_tau is None else f"{cls.default_tau:g}"
    remarks = "; ".join(part for part in ("two classes" if cls.binary else "", cls.remark) if part)
    return f"`{name}`", cls.family, cls.needs, cls.target, unbiased, evaluations, tau, remarks


def table() -> str:
    """The whole table in Markdown."""
    rows = [HEAD, ("---",) * len(HEAD), *(row(name) for name in estimators.names())]
    return "".join(f"| {' | '.join(cells)} |\n".replace("|  ", "| ") for cells in rows)


def written(page: str) -> str:
    """The page with the table in the place of the one that it has."""
    return re.sub(
        r"^\| name \|.*?(?=^[^|])", lambda _: table(), page, count=1, flags=re.MULTILINE | re.DOTALL
    )


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
