"""The chapter on the model, written from the code: ``python -m optimizer.docs docs/``."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from models.files.atomic import write_bytes
from models.plan import NPV_TERMS
from models.template import template_dataset
from optimizer.blocks.base import Block, Constraint, Formulation
from optimizer.formulation import BLOCKS, all_constraints, formulate
from optimizer.instance import Instance

INTRO = """# The model

One mixed-integer linear programme: maximise net present value, subject to what power, cooling, grid, supply, contracts and money
allow. This chapter is written from the code by `make docs`; the names are those of code, log, audit and matrix.

Symbols: `s` sites, `b` power blocks, `g` GPU generations, `c` contracts, `z` grid nodes, `k` market tiers, `u` customers, `t` periods
from 0 to T-1, `tau` the period in which a rack was installed. `H[t]` hours and `M` months of a period, `kw[g]` provisioned power of a
rack, `liq[g]` the share of its heat taken by liquid, `gpr[g]` its GPUs, `eq[c,g]` the contract GPUs that one GPU counts for, `D[c,t]`
contract GPUs owed, `L[g]` life in periods. Power is in MW and money in million USD; NPV terms are discounted with
`disc[t] = (1+r)**-((t+0.5)*M/12)`. Data columns are described in [data.md](data.md).

Nothing is served, built or signed for free, and nothing but power, cooling, supply, eligibility and hard duties is forbidden: lateness,
moves and unsold GPUs have a price. So a plan exists for every valid dataset, unless directives, hard duties (`max_short_share`) or the
limits of rule 17 conflict.
"""


def model_reference_markdown() -> str:
    """The chapter: an index by number, then a section per block."""
    f = formulate(Instance(template_dataset()))
    parts = [INTRO, "## Constraints by number\n", "| number | constraints |\n|---|---|"]
    numbers: dict[int, list[str]] = {}
    for constraint in all_constraints().values():
        numbers.setdefault(constraint.number, []).append(f"[{constraint.name}](#{constraint.name})")
    parts += [f"| {number} | {', '.join(names)} |" for number, names in sorted(numbers.items())]
    parts.append("\nBounds of variables hold the rest: rack size and install window (2), market depth (11), eligibility (13).\n")
    parts += [_section(block, f) for block in BLOCKS]
    parts += ["## Terms of NPV\n", "| term | what it is |\n|---|---|"]
    parts += [f"| {name} | {meaning} |" for name, meaning in NPV_TERMS.items()]
    return "\n".join(parts) + "\n"


def _section(block: Block, f: Formulation) -> str:
    module = inspect.getmodule(block.declare)
    heading = (module.__doc__ or "").strip() if module is not None else ""
    lines = [f"## {block.name}\n", heading + "\n", f"*Decisions.* {_flow(block.declare.__doc__)}\n"]
    lines += [_constraint(constraint, f) for constraint in block.constraints]
    if block.money is not None:
        lines.append(f"*NPV.* {_flow(block.money.__doc__)}\n")
    return "\n".join(lines)


def _constraint(constraint: Constraint, f: Formulation) -> str:
    """Number, reason, formula, and which rows there are."""
    doc = inspect.getdoc(constraint.rule) or ""
    formula = "\n".join(doc.splitlines()[1:]).strip()
    rows = inspect.getdoc(constraint.over) if constraint.over.__name__ != "<lambda>" else inspect.getdoc(constraint.rows)
    where = f"Rows: {_flow(rows)}\n" if rows and "lambda" not in rows else ""
    return f"### {constraint.name}\n\nRule {constraint.number}. {constraint.reason}\n\n```text\n{formula}\n```\n\n{where}"


def _flow(text: str | None) -> str:
    """A docstring as one paragraph."""
    return " ".join((text or "").split())


def main(arguments: list[str]) -> int:
    """Write the chapter into a folder."""
    write_bytes(Path(arguments[0]) / "model.md", model_reference_markdown().encode("utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["docs"]))
