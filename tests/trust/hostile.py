"""Hostile messages: each kind makes parts for the wire from a seeded dice, and says what the broker may answer.

A kind is a function (dice, peer) -> (parts, allowed): allowed holds the types or error codes of which the first answer to
the message must be one; ANY where chance may have made something sensible of it. `internal` is never allowed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from engine.client import protocol
from engine.client.pixels import Pixels

ANY: frozenset[str] = frozenset()
UNREADABLE = frozenset({"engine.malformed", "engine.wrong-key", "engine.protocol"})
MALFORMED = frozenset({"engine.malformed"})
WRONG_KEY = frozenset({"engine.wrong-key"})
FRAMES = frozenset({"engine.malformed", "input.frame", "input.empty", "input.too-large", "option.invalid"})

WORDS = ["", "x", "source", "submit", "fake", "auto", "..", "../../etc/passwd", "\x00", "é" * 40, "ping\n", "🎨", "-"]
NUMBERS = [0, 1, -1, 2, 255, 2**31, 2**32, 2**53, 2**63, 2**64 - 1, -(2**63), 0.5, 1e308, -0.0]


def anything(dice: random.Random, depth: int = 3):
    """Any JSON value."""
    kind = dice.randrange(8 if depth else 5)
    if kind == 0:
        return dice.choice([None, True, False])
    if kind == 1:
        return dice.choice(NUMBERS)
    if kind == 2:
        return dice.choice(WORDS)
    if kind == 3:
        return "".join(chr(dice.randrange(1, 0xD7FF)) for _ in range(dice.randrange(12)))
    if kind == 4:
        return dice.randrange(-(2**70), 2**70)
    if kind < 7:
        return [anything(dice, depth - 1) for _ in range(dice.randrange(4))]
    return {dice.choice(WORDS): anything(dice, depth - 1) for _ in range(dice.randrange(4))}


def signed(key: bytes, text: bytes, parts=()) -> list[bytes]:
    return [protocol.MAGIC, protocol.signature(key, text), text, *parts]


def dumped(header) -> bytes:
    return json.dumps(header, separators=(",", ":")).encode()


def noise(dice: random.Random, most: int = 80) -> bytes:
    return dice.randbytes(dice.randrange(most))


def header(dice, peer, type="ping", **fields):
    peer.out.sent += 1
    # The dice make sure that no flipped bit turns one message's id into that of a job to come.
    unique = f"f{peer.out.sent}-{dice.getrandbits(48):x}"
    return {"type": type, "id": unique, "session": peer.out.session, "seq": peer.out.sent} | fields


def small(dice, side: int = 6) -> Pixels:
    width, height = dice.randrange(1, side), dice.randrange(1, side)
    channels = dice.choice(["GRAY", "RGB", "BGRA"])
    size = {"GRAY": 1, "RGB": 3, "BGRA": 4}[channels]
    return Pixels(dice.randbytes(width * height * size), width, height, channels, "u8")


def a_submit(dice, peer):
    """A whole submit as (header, pictures' parts)."""
    return protocol.describe(
        header(dice, peer, "submit", task="fake", options={"does": "invert"}), {"source": small(dice)}
    )


def a_message(dice, peer):
    """A whole message as (header, parts): most are questions, every fourth one carries a picture."""
    if dice.randrange(4) == 0:
        return a_submit(dice, peer)
    return header(dice, peer, dice.choice(["ping", "ping", "status"])), []


# ---- the kinds ---------------------------------------------------------------------------------------------------------


def question(dice, peer):
    kind = dice.choice(["ping"] * 20 + ["status"] * 5 + ["list"])
    answer = {"ping": "pong", "status": "state", "list": "models"}[kind]
    return signed(peer.where.key, dumped(header(dice, peer, kind))), frozenset({answer})


def job(dice, peer):
    head, parts = a_submit(dice, peer)
    return signed(peer.where.key, dumped(head), parts), frozenset({"queued", "engine.queue-full"})


def truncated(dice, peer):
    head, parts = a_message(dice, peer)
    whole = signed(peer.where.key, dumped(head), [bytes(part) for part in parts])
    if dice.randrange(2):
        kept = whole[: dice.randrange(len(whole))]
        return kept or [b""], UNREADABLE
    place = dice.randrange(3)
    whole[place] = whole[place][: dice.randrange(len(whole[place]))]
    return whole, UNREADABLE


def reordered(dice, peer):
    head, parts = a_message(dice, peer)
    whole = signed(peer.where.key, dumped(head), [bytes(part) for part in parts])
    one, other = dice.sample(range(3), 2)
    whole[one], whole[other] = whole[other], whole[one]
    return whole, UNREADABLE


def out_of_order(dice, peer):
    """A message whose number was passed already, though it never came."""
    head = header(dice, peer)
    head["seq"] = dice.randrange(peer.accepted + 1)
    return signed(peer.where.key, dumped(head)), MALFORMED


def replayed(dice, peer):
    if peer.recorded and dice.randrange(3):
        return dice.choice(peer.recorded), MALFORMED
    other = protocol.Numbering(peer.where.key, f"s-{dice.randrange(2**64):x}")
    return other.pack("ping", "replayed"), WRONG_KEY


def flipped_json(dice, peer):
    """Bits of a signed header flipped; its number stays, so that the session goes on."""
    head, parts = a_message(dice, peer)
    number = head.pop("seq")
    text = bytearray(dumped(head)[1:])
    for _ in range(dice.choice((1, 1, 2, 8))):
        text[dice.randrange(len(text))] ^= 1 << dice.randrange(8)
    return signed(peer.where.key, b'{"seq":%d,' % number + bytes(text), parts), ANY


def bad_json(dice, peer):
    text = dice.choice([b"{", b"[]", b"null", b"\xff\xfe", b'{"a":1,}', b"{'a':1}", b'{"a":NaN}', b'{"a":1e999}'])
    if dice.randrange(2):
        whole = dumped(header(dice, peer))
        cut = dice.randrange(1, len(whole) - 1)
        text = dice.choice([whole[:cut], whole + noise(dice) + b"!", whole[:cut] + b"\x00" + whole[cut:]])
    return signed(peer.where.key, text), MALFORMED


def deep_json(dice, peer):
    depth = dice.choice((9, 20, 500, 10_000))
    opening, closing = dice.choice([(b"[", b"]"), (b'{"a":', b"}")])
    text = opening * depth + b"1" + (closing * depth if dice.randrange(2) else b"")
    return signed(peer.where.key, text), frozenset({"engine.malformed", "engine.too-large"})


def huge(dice, peer):
    """Lengths and numbers far too large, in the header and of it."""
    head, parts = a_submit(dice, peer)
    entry = head["buffers"][0]
    case = dice.randrange(8)
    if case == 0:
        head["padding"] = "x" * dice.choice((70_000, 300_000))
    elif case == 1:
        entry["icc"] = dice.choice((2**31, 2**53, 2**64))
    elif case == 2:
        entry["width"] = dice.choice((40_001, 10**9, 2**63))
    elif case == 3:
        entry["width"], entry["height"] = 40_000, 40_000
    elif case == 4:
        head["buffers"] = [dict(entry, name=f"b{n}") for n in range(dice.choice((17, 100)))]
    elif case == 5:
        parts = [b"x"] * dice.choice((40, 400))
    elif case == 6:
        text = dumped(head).replace(b'"width":', b'"width":' + b"9" * dice.choice((21, 5_000)))
        return signed(peer.where.key, text, parts), MALFORMED
    else:
        entry["canvas"] = [10**12, 10**12]
        entry["x"] = 10**15
    return signed(peer.where.key, dumped(head), parts), FRAMES | {"engine.too-large"} if case < 7 else ANY


def wrong_hmac(dice, peer):
    kind = dice.choice(["ping", "stop", "free", "submit", "hello"])
    head = header(dice, peer, kind, protocol=1, nonce="n", client={})
    text = dumped(head)
    right = protocol.signature(peer.where.key, text)
    wrong = dice.choice(
        [
            protocol.signature(dice.randbytes(32), text),
            protocol.signature(peer.where.key, text + b" "),
            right.upper(),
            right[:-1],
            right + b"0",
            b"",
            noise(dice),
            bytes(64),
        ]
    )
    # A signature of digits alone has no other case: then it was right.
    return [protocol.MAGIC, wrong if wrong != right else b"0" * 64, text], WRONG_KEY


def wrong_version(dice, peer):
    if dice.randrange(3) == 0:
        said = dice.choice((0, 2, 99, -1, 2**53))
        text = dumped(
            {"type": "hello", "id": "h", "session": "", "seq": 0, "protocol": said, "nonce": "", "client": {}}
        )
        return signed(peer.where.key, text), frozenset({"engine.protocol"})
    head, parts = a_message(dice, peer)
    magic = dice.choice([b"PINCEL/0", b"PINCEL/2", b"PINCEL/", b"PINCEL/1.1", b"PINCEL/\xff"])
    return [magic, *signed(peer.where.key, dumped(head), parts)[1:]], frozenset({"engine.protocol"})


def mismatched(dice, peer):
    """Buffers that are not what their description says."""
    head, parts = a_submit(dice, peer)
    entry, data = head["buffers"][0], bytes(parts[0])
    case = dice.randrange(9)
    if case == 0:
        parts = []
    elif case == 1:
        parts = [data, noise(dice)]
    elif case == 2:
        parts = [data[:-1] if dice.randrange(2) else data + b"x"]
    elif case == 3:
        entry["width"] += dice.choice((1, 7))
    elif case == 4:
        entry["dtype"] = dice.choice(["u16", "f32", "f64", "", 8])
    elif case == 5:
        entry["channels"] = "CMYK" if entry["channels"] == "GRAY" else dice.choice(["GRAY", "RG", "", None, 3])
    elif case == 6:
        entry[dice.choice(["width", "height"])] = dice.choice((0, -1, True, 1.5, "3", None))
    elif case == 7:
        head["buffers"] = [entry, dict(entry)]
        parts = [data, data]
    else:
        entry["name"] = dice.choice(["mask2", "Source", "", "hints", 7, "a/b", "x" * 40])
    return signed(peer.where.key, dumped(head), parts), FRAMES


def other_field(dice, peer):
    """One field of a whole message replaced by any JSON, or one more."""
    head, parts = a_message(dice, peer)
    target = head
    if "buffers" in head and dice.randrange(2):
        target = dice.choice([head["buffers"][0], head["options"]])
    names = sorted(set(target) - {"seq"}) or ["steps"]
    target[dice.choice([*names, "more", "does", "job"])] = anything(dice)
    return signed(peer.where.key, dumped(head), parts), ANY


def garbage(dice, peer):
    return [noise(dice) for _ in range(dice.randrange(1, 6))], UNREADABLE


# How often each kind comes, in a hundred or so.
KINDS: dict[Callable, int] = {
    question: 8,
    job: 1,
    truncated: 10,
    reordered: 6,
    out_of_order: 5,
    replayed: 8,
    flipped_json: 14,
    bad_json: 8,
    deep_json: 2,
    huge: 5,
    wrong_hmac: 10,
    wrong_version: 5,
    mismatched: 10,
    other_field: 14,
    garbage: 6,
}
