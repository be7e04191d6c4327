"""The fuzzer of the wire: sessions that send hostile messages and check each answer, among connections that misbehave."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections import Counter
from pathlib import Path

from engine.client import protocol
from tests.server.harness import Client, EngineProcess, until
from tests.trust import hostile, strangers

BATCH = 48
SESSIONS = 6
FIRST = {"pong", "state", "models", "freed", "queued", "error", "welcome"}  # what a message's first answer can be


class Peer(Client):
    """One session that misbehaves. accepted: the last number the broker took; recorded: messages it took."""

    def __init__(self, where, dice: random.Random) -> None:
        super().__init__(where)
        self.dice, self.open, self.left = dice, set(), []
        self.begin()

    def begin(self) -> None:
        self.hello()
        self.accepted, self.recorded = 0, []

    def batch(self, count: int, counts: Counter) -> None:
        """Send so many hostile messages and a ping behind them, and check what comes back, in order."""
        sent = []
        kinds = self.dice.choices(list(hostile.KINDS), list(hostile.KINDS.values()), k=count)
        for kind in kinds:
            parts, allowed = kind(self.dice, self)
            self.raw(parts)
            sent.append((kind.__name__, allowed, parts))
            counts[kind.__name__] += 1
        closing = hostile.header(self.dice, self)
        closing["id"] = f"closing-{closing['seq']}"  # which no flipped bit makes of another's id
        parts = hostile.signed(self.where.key, hostile.dumped(closing))
        self.raw(parts)
        counts["question"] += 1
        answers = self.answers(closing["id"])
        for (kind, allowed, wrong), answer in zip(sent, answers, strict=True):
            said = answer.header["error"]["code"] if answer.type == "error" else answer.type
            assert said != "internal", (kind, wrong, answer.header)
            assert not allowed or said in allowed, (kind, said, sorted(allowed), wrong)
        self.accepted = closing["seq"]
        self.recorded = [*self.recorded[-20:], parts]

    def answers(self, closing: str) -> list[protocol.Message]:
        """The first answers to all messages, in order, up to the closing ping's. Jobs go on to their one end meanwhile."""
        found = []
        while True:
            message = self.get()
            job = message.id in self.open
            if message.type == "pong" and message.id == closing:
                return found
            if job and message.type in protocol.FINAL:
                self.open.remove(message.id)
                assert message.type == "result", message.header
            elif message.type in FIRST and not (job and message.type == "queued"):
                found.append(message)
                if message.type == "queued":
                    self.open.add(message.id)

    def finish(self) -> None:
        """Wait for the jobs that are open: each ends once."""
        while self.open:
            message = self.get()
            if message.type in protocol.FINAL and message.id in self.open:
                self.open.remove(message.id)


class Fuzzer:
    """seed: of everything that is sent. The counts hold what was sent, by kind."""

    def __init__(self, engine: EngineProcess, seed: int) -> None:
        self.engine, self.seed, self.dice = engine, seed, random.Random(seed)
        self.where = engine.connection()
        self.counts: Counter[str] = Counter()
        self.connections = 0
        self.peers: list[Peer] = []
        self.held: list = []
        self.crowd: list = []
        self.witness = engine.client()
        for _ in range(3):  # what is only loaded once is loaded now
            self.witness.end(self.witness.submit())
            self.witness.ask("list")
        self.before = self.measure()

    @property
    def sent(self) -> int:
        return sum(self.counts.values())

    def measure(self) -> dict[str, float]:
        """Memory in MB, open handles and threads of the broker."""
        process = Path(f"/proc/{self.engine.process.pid}")
        pages = int((process / "statm").read_text().split()[1])
        return {
            "memory": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
            "handles": len(list((process / "fd").iterdir())),
            "threads": len(list((process / "task").iterdir())),
        }

    def gather(self, count: int) -> None:
        """So many connections that stay to the end: two thirds are good sessions, the others stop in the middle."""
        ends = [b"", strangers.GREETING[:5], strangers.GREETING, strangers.GREETING + strangers.READY]
        for n in range(count):
            if n % 3:
                sock = strangers.shaken(self.where.endpoint)
                sock.sendall(strangers.hello(self.where.key))
            elif n % 2:
                sock = strangers.opened(self.where.endpoint)
                sock.sendall(self.dice.choice(ends))
            else:
                sock = strangers.shaken(self.where.endpoint)
                sock.sendall(strangers.long_frame(b"PINCEL/1", 1, 900_000))
            self.crowd.append((n % 3, sock))
        self.connections += count
        self.counts["crowd"] += count

    def run(self, messages: int) -> None:
        for _ in range(SESSIONS):
            self.peers.append(Peer(self.where, self.dice))
        slow = strangers.SlowSender(self.where.endpoint, self.where.key)
        self.connections += SESSIONS + 1
        rounds = 0
        while self.sent < messages:
            rounds += 1
            peer = self.dice.choice(self.peers)
            peer.batch(min(BATCH, messages - self.sent), self.counts)
            for _ in range(self.dice.randrange(3)):
                self.attack()
            if slow.step() or rounds % 40 == 0:
                self.welcome_of(slow)
                slow = strangers.SlowSender(self.where.endpoint, self.where.key)
                self.connections += 1
            if rounds % 25 == 0:
                peer.finish()
                peer.begin()
                # A good client goes on being answered; one that says nothing for long would lose its session to the others'.
                assert self.witness.ask("ping").type == "pong"
        for peer in self.peers:
            peer.finish()
            peer.close()
        self.welcome_of(slow)

    def attack(self) -> None:
        kind, count, sock = strangers.attack(self.where.endpoint, self.where.key, self.dice)
        self.connections += 1
        self.counts[kind] += count
        self.held.append(sock)
        if len(self.held) > 30:
            strangers.closed(self.held.pop(self.dice.randrange(len(self.held))), reset=self.dice.randrange(2) == 0)

    def welcome_of(self, slow: strangers.SlowSender) -> None:
        while slow.rest:
            slow.step(50)
        assert slow.welcomed()
        slow.sock.close()
        self.counts["slow"] += 1

    def disperse(self) -> None:
        """The crowd goes; its good sessions had their welcome."""
        for good, sock in self.crowd:
            if good:
                sock.settimeout(30)
                assert sock.recv(64) != b"", "a good connection was ended"
        for sock in [*(sock for _, sock in self.crowd), *self.held]:
            strangers.closed(sock)
        self.crowd.clear()
        self.held.clear()

    def close(self) -> None:
        """Whatever became of the run: nothing may hold the suite's end up."""
        for peer in self.peers:
            peer.close()
        for sock in [*(sock for _, sock in self.crowd), *self.held]:
            sock.close()

    def pings(self, count: int = 25) -> list[float]:
        """Milliseconds that pings take now."""
        taken = []
        for _ in range(count):
            begun = time.perf_counter()
            assert self.witness.ask("ping").type == "pong"
            taken.append((time.perf_counter() - begun) * 1e3)
        return sorted(taken)

    def verdict(self) -> str:
        """That the broker is as it was; the figures as a sentence. Call it when all is closed."""
        median = statistics.median(self.pings())
        # The same number of handles as before, but for workers that came or went meanwhile.
        self.witness.ask("free")
        free = self.before["handles"]
        until(lambda: self.measure()["handles"] <= free, f"closing of handles down to {free}")
        after = self.measure()
        grown = after["memory"] - self.before["memory"]
        said = (
            f"wire: {self.sent} messages ({', '.join(f'{n} {k}' for k, n in sorted(self.counts.items()))}) over"
            f" {self.connections} connections, seed {self.seed}; then a ping in {median:.1f} ms (median),"
            f" memory {grown:+.1f} MB, handles {after['handles'] - free:+d}, threads"
            f" {after['threads'] - self.before['threads']:+d}"
        )
        assert median <= 50, said
        assert grown <= 50, said
        return said
