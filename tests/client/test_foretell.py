"""The line in editors' dialogs that says what a job would take: asked without waiting, silent where nothing is known."""

from __future__ import annotations

from engine.client.errors import OptionError
from engine.client.foretell import Foretelling
from engine.client.session import Question


class Asked:
    """A session whose questions the test answers."""

    def __init__(self):
        self.lost, self.questions = False, []

    def ask(self, type, **fields):
        assert type == "forecast" and set(fields) == {"task", "options", "width", "height", "pixel"}
        self.questions.append((Question(type), fields))
        return self.questions[-1][0]

    def step(self, timeout):
        pass


WANTED = ("upscale", {"scale": 2.0}, 100, 80)


def answered(question, seconds, nbytes=0):
    question.take({"type": "forecast", "seconds": seconds, "bytes": nbytes, "phases": {}, "jobs": 1})


def test_one_question_for_each_thing_wanted():
    session, line = Asked(), Foretelling()
    assert not line.look(session, WANTED) and not line.look(session, WANTED) and len(session.questions) == 1
    answered(session.questions[0][0], 40.2, 1_200_000_000)
    assert line.look(session, WANTED) and line.text == "About 40 s, 1.2 GB"
    assert not line.look(session, WANTED) and len(session.questions) == 1
    line.look(session, ("upscale", {"scale": 4.0}, 100, 80))
    assert session.questions[1][1]["options"] == {"scale": 4.0}
    answered(session.questions[1][0], None, None)
    assert line.look(session, WANTED) and line.text == ""


def test_after_a_job_it_asks_again():
    session, line = Asked(), Foretelling()
    line.look(session, WANTED)
    answered(session.questions[0][0], 1.0)
    line.look(session, WANTED)
    line.again()
    line.look(session, WANTED)
    assert len(session.questions) == 2


def test_an_older_engine_a_lost_one_and_none_mean_no_line():
    session, line = Asked(), Foretelling()
    line.look(session, WANTED)
    session.questions[0][0].error = OptionError("There is no message type forecast.")
    assert not line.look(session, WANTED) and line.text == ""
    assert not line.look(None, WANTED)
    session.lost = True
    assert not line.look(session, WANTED) and line.wait(Asked(), WANTED, 0.05) == ""
