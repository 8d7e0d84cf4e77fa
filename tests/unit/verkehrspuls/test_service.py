import subprocess
import sys

from tests.parts import PATIENCE_S
from verkehrspuls import service

DIE = f"""
import threading, time
import {service.__name__} as service
from verkehrspuls.settings import Log

service.begin(Log())
threading.Thread(target=lambda: 1 / 0, name="paho", daemon=True).start()
time.sleep(600)
"""


def test_dead_thread_ends_its_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DIE], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 1
    assert "thread_died thread_name=paho" in done.stderr
    assert "ZeroDivisionError" in done.stderr
