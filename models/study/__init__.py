"""Studies: many what-ifs from one base plan.

study = read_study(Path("study.yaml"))      # checked; StudyError with every fault
scenarios = list(scenarios_of(study))       # name, changes, odds, levels; always in the same order
named([("late hall", changes), ...])        # scenarios of any other source
"""

from models.study.applied import check_scenarios
from models.study.faults import StudyError
from models.study.file import BASE, MOST_RUNS, Study, StudyMode
from models.study.read import read_study, study_of
from models.study.scenarios import Origin, Scenario, named, scenarios_of

__all__ = [
    "BASE",
    "MOST_RUNS",
    "Origin",
    "Scenario",
    "Study",
    "StudyError",
    "StudyMode",
    "check_scenarios",
    "named",
    "read_study",
    "scenarios_of",
    "study_of",
]
