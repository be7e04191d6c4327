"""An engine used from another machine, by CURVE, tried on loopback: two homes, two pairs of keys, one real engine."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
import zmq
from PIL import Image

from engine import Engine
from engine.client import protocol
from engine.client.errors import EngineNotAnswering, EngineNotRunning, OptionError, PincelError, WrongKey
from engine.client.session import Session
from engine.client.zmtp import Dealer
from engine.remote import pairs
from engine.remote.dealer import CurveDealer, Paired
from tests.server.harness import ROOT, EngineProcess, code, picture, until


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def machines(tmp_path, monkeypatch):
    """machines(name): turns this process into that machine; an engine of EngineProcess lives on "engine"."""

    def turn(name):
        monkeypatch.setenv("PINCEL_HOME", str(tmp_path / name / "home"))
        monkeypatch.setenv("PINCEL_RUNTIME_DIR", str(tmp_path / name / "run"))
        return pairs.load_or_make()

    return turn


@pytest.fixture
def paired(tmp_path, machines):
    """An engine process that lets "laptop" in; this process is the laptop, and calls it "workshop"."""
    laptop, workshop = machines("laptop").public, machines("engine")
    workshop.clients["laptop"] = laptop
    workshop.save()
    address = f"127.0.0.1:{free_port()}"
    engine = EngineProcess(tmp_path / "engine", remote=address)
    engine.address = address
    known = machines("laptop")
    known.engines["workshop"] = {"address": address, "key": workshop.public}
    known.save()
    yield engine
    status, _, said = engine.finish()
    assert (status, said) == (0, "") and engine.faults() == [] and engine.files() == []


def curve_dealer(where, **keys):
    public, secret = zmq.curve_keypair()
    given = {"server": public, "public": public, "secret": secret} | keys
    return CurveDealer(where, given["server"], given["public"], given["secret"], 2**20)


def test_a_job_by_the_standard_client_s_session(paired):
    with Session.connect("laptop", "1", at=Paired("workshop")) as session:
        [result] = session.submit("fake", {"steps": 2}, {"source": picture(700, 500, 40)}).wait()
        assert bytes(result.data) == bytes([215]) * (700 * 500 * 3)
        assert session.ping() < 5
    assert "the machine laptop comes in" in paired.log()


def test_the_local_door_stays_as_it_was(paired):
    client = paired.client()
    assert client.where.endpoint.startswith("tcp://127.0.0.1:") and not client.where.endpoint.endswith(paired.address)
    assert client.end(client.submit()).type == "result"


def test_a_machine_that_is_not_paired_is_refused(paired, machines):
    stranger = machines("stranger")
    stranger.engines["workshop"] = {"address": paired.address, "key": machines("engine").public}
    machines("stranger")
    stranger.save()
    with pytest.raises(WrongKey, match="does not let this machine in"):
        Session.connect("stranger", "1", at=Paired("workshop"))
    assert "a machine that is not paired was refused" in paired.log()


def test_an_engine_that_is_not_the_one_that_was_paired_is_refused(paired):
    known = pairs.load()
    known.engines["workshop"]["key"] = zmq.curve_keypair()[0].decode()
    known.save()
    with pytest.raises(PincelError) as refused:
        Session.connect("laptop", "1", at=Paired("workshop"))
    assert refused.value.code in ("engine.wrong-key", "engine.not-answering")


def test_a_machine_is_forgotten_without_a_restart(paired, machines):
    Session.connect("laptop", "1", at=Paired("workshop")).close()
    workshop = machines("engine")
    workshop.clients.clear()
    workshop.save()
    machines("laptop")
    with pytest.raises(WrongKey):
        Session.connect("laptop", "1", at=Paired("workshop"))


def test_another_machine_can_neither_stop_the_engine_nor_free_its_memory(paired):
    with Session.connect("laptop", "1", at=Paired("workshop")) as session:
        for ask in (session.stop, session.free):
            with pytest.raises(WrongKey, match="own machine"):
                ask()
        assert session.ping() < 5


def test_messages_are_signed_there_too_and_in_their_own_way(paired):
    """Neither the key of the local door nor none is good at the other, and a message cannot be played again."""
    known = pairs.load()
    server = known.engines["workshop"]["key"]
    dealer = curve_dealer(
        f"tcp://{paired.address}", server=server.encode(), public=known.public.encode(), secret=known.secret.encode()
    )
    right, wrong = pairs.signing_key(server), paired.connection().key
    hello = {"type": "hello", "id": "h", "session": "", "seq": 0, "protocol": 1, "nonce": "n", "client": {}}
    dealer.send(protocol.pack(wrong, hello))
    assert code(protocol.unpack(right, dealer.recv(20.0), protocol.FROM_ENGINE)) == "engine.wrong-key"
    dealer.send(protocol.pack(right, hello))
    welcome = protocol.unpack(right, dealer.recv(20.0), protocol.FROM_ENGINE)
    assert welcome.type == "welcome"
    ping = protocol.Numbering(right, welcome.session).pack("ping", "p1")
    dealer.send(ping)
    assert protocol.unpack(right, dealer.recv(20.0), protocol.FROM_ENGINE).type == "pong"
    dealer.send(ping)
    assert code(protocol.unpack(right, dealer.recv(20.0), protocol.FROM_ENGINE)) == "engine.malformed"
    dealer.close()
    local = paired.client(hello=False)
    local.where.key = right
    local.raw(protocol.pack(right, hello))
    assert b"engine.wrong-key" in local.socket.recv_multipart()[2]


def test_nothing_is_heard_there_without_encryption(paired):
    """The plug-ins' client, a browser and a pyzmq socket without keys get nothing; the engine goes on."""
    host, _, port = paired.address.partition(":")
    plain = Dealer(f"tcp://{paired.address}")
    plain.send([b"PINCEL/1", b"", b"{}"])
    with pytest.raises(EngineNotAnswering):
        plain.recv(20.0)
    with socket.create_connection((host, int(port)), timeout=0.5) as browser, contextlib.suppress(OSError):
        browser.sendall(b"GET / HTTP/1.1\r\nHost: workshop.local\r\n\r\n")
        assert len(browser.recv(1000)) <= 64, "ZeroMQ's greeting at most; often nothing"
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        dealer.connect(f"tcp://{paired.address}")
        dealer.send(b"hello")
        assert not dealer.poll(500)
    with Session.connect("laptop", "1", at=Paired("workshop")) as session:
        assert session.ping() < 5


def test_what_crosses_the_wire_is_encrypted(paired):
    """A relay between the two sees neither the header's words nor the samples."""
    seen = bytearray()
    known = pairs.load()
    with socket.create_server(("127.0.0.1", 0)) as relay:
        known.engines["relayed"] = dict(
            known.engines["workshop"],
            address="127.0.0.1:%d" % relay.getsockname()[1],  # noqa: UP031
        )
        known.save()
        script = (
            "import sys; from engine.client.session import Session; from engine.remote.dealer import Paired\n"
            "from tests.server.harness import picture\n"
            "with Session.connect('laptop', '1', at=Paired('relayed')) as s:\n"
            "    print(len(s.submit('fake', {}, {'source': picture(90, 90, 173)}).wait()[0].data))"
        )
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        talk = subprocess.Popen([sys.executable, "-c", script], env=env, stdout=subprocess.PIPE, text=True)
        here, _ = relay.accept()
        host, _, port = paired.address.partition(":")
        with here, socket.create_connection((host, int(port))) as there:
            here.setblocking(False)
            there.setblocking(False)
            while talk.poll() is None:
                for one, other in ((here, there), (there, here)):
                    try:
                        data = one.recv(65536)
                    except BlockingIOError:
                        continue
                    except OSError:
                        break
                    seen += data
                    other.setblocking(True)
                    other.sendall(data)
                    other.setblocking(False)
    assert talk.communicate()[0].strip() == str(90 * 90 * 3)
    assert len(seen) > 2 * 90 * 90 * 3 and b"CURVE" in seen
    for word in (b"PINCEL", b"submit", b"welcome", b"fake", bytes([173] * 8), bytes([82] * 8)):
        assert word not in seen


def test_a_laptop_that_is_closed_in_the_middle_of_a_job(paired):
    """Its job is dropped, and the next one is done."""
    session = Session.connect("laptop", "1", at=Paired("workshop"))
    job = session.submit("fake", {"does": "sleep", "steps": 1000, "seconds": 0.02}, {"source": picture()})
    while job.state != "running":
        job.step(0.1)
    session.close()
    assert job.error.code == "cancelled"
    client = paired.client()
    until(lambda: not any(w["job"] for w in client.workers()), "the job's end")
    with Session.connect("laptop", "1", at=Paired("workshop")) as session:
        assert session.submit("fake", {}, {"source": picture()}).wait()


def test_an_engine_that_is_killed_in_the_middle_of_a_job(paired):
    with Session.connect("laptop", "1", at=Paired("workshop")) as session:
        job = session.submit("fake", {"does": "sleep", "steps": 1000, "seconds": 0.02}, {"source": picture()})
        while job.state != "running":
            job.step(0.1)
        paired.finish(signal.SIGTERM)
        with pytest.raises(PincelError) as ended:
            job.wait()
        assert ended.value.code in ("engine.stopping", "engine.not-answering")
        with pytest.raises(EngineNotRunning, match="Nothing answers"):
            session.ping()


def test_the_door_is_opened_by_name_only_and_for_somebody(tmp_path, machines):
    machines("engine")
    for number, (settings, expected) in enumerate(
        [
            ({"remote": f"127.0.0.1:{free_port()}"}, "engine.start No other machine"),
            ({"host": "0.0.0.0"}, "engine.not-loopback 0.0.0.0"),
            ({"remote": "workshop.local:4711"}, "engine.not-loopback workshop.local"),
            ({"remote": "127.0.0.1"}, "option.invalid"),
        ]
    ):
        status, _, said = EngineProcess(tmp_path / f"e{number}", wait=False, **settings).finish(0)
        assert said.startswith(expected) and status in (2, 6), said


@pytest.mark.slow
def test_the_real_tasks_by_python_and_by_the_command_line(tmp_path, machines, photo):
    """The same bytes as in this process, through `pincel pair`, `pincel serve --remote` and `--remote NAME`."""
    laptop, workshop = machines("laptop").public, machines("engine").public
    environ = {"PINCEL_HOME": str(tmp_path / "engine/home"), "PINCEL_RUNTIME_DIR": str(tmp_path / "engine/run")}
    address = f"127.0.0.1:{free_port()}"

    def pincel(*words, **environment):
        command = [sys.executable, "-m", "engine", *map(str, words)]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    assert pincel("pair", "allow", "laptop", laptop, **environ)[0] == 0
    serve = subprocess.Popen(
        [sys.executable, "-m", "engine", "serve", "--remote", address],
        cwd=ROOT,
        env=os.environ | environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert f"may use it at tcp://{address}" in serve.stdout.readline()
        machines("laptop")
        assert pincel("pair", "engine", "workshop", address, workshop)[0] == 0
        status, said = pincel("pair", "test", "workshop")
        assert status == 0 and "workshop answers in" in said
        source = tmp_path / "old.png"
        Image.fromarray(photo).save(source)
        status, said = pincel("colorize", source, "-o", tmp_path / "new.png", "--seed", "3", "--remote", "workshop")
        assert status == 0, said
        with Engine() as here:
            expected = here.colorize(source, seed=3).array
        with Engine.connect(remote="workshop") as there:
            assert np.array_equal(there.colorize(source, seed=3).array, expected)
            assert {m["name"] for m in there.models()} >= {"yuv_cgan.photo"}
        with Image.open(tmp_path / "new.png") as made:
            assert np.array_equal(np.asarray(made), expected)
        assert pincel("status")[0] == 6, "the laptop has no engine of its own"
        with pytest.raises(OptionError, match="workshop"):
            Engine.connect(remote="attic")
    finally:
        serve.send_signal(signal.SIGTERM)
        assert serve.wait(60) == 0
        serve.stdout.close()
