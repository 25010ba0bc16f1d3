"""Makes ready what the first views ask for, before anybody asks."""

from __future__ import annotations

import structlog

from api.page import home
from api.page.frame import TEMPLATES
from api.page.shown import Shown
from api.service import Service
from models.exceptions import exceptions
from models.headroom import headroom
from models.plan_views import contract_lateness, headline

LINES = 3
"""Plan lines, the newest, whose baselines are made ready."""
log = structlog.get_logger("page")


def warm(service: Service) -> None:
    """Load baselines and compute what their views show; a failure is only logged, since whoever asks will be told it."""
    try:
        for name in TEMPLATES.list_templates():
            TEMPLATES.get_template(name)
        for line in service.store.lines.list(limit=LINES).items:
            if line.run_id is not None:
                shown = Shown(service, line, service.run(line.run_id), chosen=False)
                for view in (headline, exceptions, home.power, headroom, contract_lateness):
                    shown.view(view)
    except Exception:
        log.exception("views could not be made ready")
