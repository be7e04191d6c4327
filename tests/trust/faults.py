"""What the tests of faults share: an engine that can be told how to fail, and how jobs end."""

from __future__ import annotations

import os
from unittest import mock

from engine.client import protocol
from engine.tasks import frames
from tests.server.harness import ROOT, EngineProcess

PROGRAM = ROOT / "tests/fakes/engine_with_faults.py"


class FaultyEngine(EngineProcess):
    """fake: workers without torch, for the fake task alone."""

    def __init__(self, folder, fake, **settings):
        folder.mkdir(parents=True, exist_ok=True)
        self.faults_file = folder / "fault"
        named = {"PINCEL_FAULTS": str(self.faults_file), "PINCEL_FAULTS_FAKE": "1" if fake else ""}
        with mock.patch.dict(os.environ, named):
            super().__init__(folder, program=PROGRAM, **settings)

    def plan(self, fault: str) -> None:
        """The fault that strikes next."""
        self.faults_file.write_text(fault)

    @property
    def struck(self) -> bool:
        return not self.faults_file.exists()


def story(client, job: str) -> list[protocol.Message]:
    """All messages about a job up to its end, and that nothing follows the end."""
    told = []
    while not told or told[-1].type not in protocol.FINAL:
        message = client.get()
        if message.id == job:
            told.append(message)
    asked = client.send("ping")
    while (message := client.get()).id != asked:
        assert message.id != job, f"after its end: {message.header}"
    fractions = [m.header["fraction"] for m in told if m.type == "progress"]
    assert fractions == sorted(fractions)
    return told


def bytes_of(message) -> list[bytes]:
    assert message.type == "result", message.header
    return [frames.to_picture(p).array.tobytes() for p in message.pictures(side_max=None).values()]
