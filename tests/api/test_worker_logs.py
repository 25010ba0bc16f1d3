"""The processes of the service's workers log as the service does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import asyncio, logging
from api import logs
from api.supervisor import WORKERS
from batch.engine import Engine

def warn():
    logging.getLogger("distributed.sizeof").warning("no size of %s", "wp_0123456789ab_" + 40 * "x")

async def main():
    logs.set_up()
    engine = await Engine.start(on_event=lambda *told: None, on_end=lambda *told: None, preload=WORKERS)
    await engine._client.run(warn)
    await engine.close()

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_a_warning_of_a_worker_is_json_without_secrets(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True, timeout=120)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    told = [line for line in lines if line["logger"] == "distributed.sizeof"]
    assert [line["event"] for line in told] == 2 * ["no size of wp_0123456789ab_..."]
    assert {line["level"] for line in told} == {"warning"}
