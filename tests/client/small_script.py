"""A client in the standard library, run by test_pythons.py: [folder of the client's copy, width, height, picture's file].

Prints a line of JSON: what it saw, and the results' hashes.
"""

import hashlib
import json
import sys

before = set(sys.modules)
sys.path.insert(0, sys.argv[1])

from pincel_client.pixels import Pixels  # noqa: E402
from pincel_client.session import Session  # noqa: E402

with open(sys.argv[4], "rb") as file:
    source = Pixels(file.read(), int(sys.argv[2]), int(sys.argv[3]), "RGB", "u8")
said = {"python": list(sys.version_info[:2])}
with Session.connect("script", "1") as session:
    said["models"] = sorted(model["name"] for model in session.list_models())
    for task, options in (("colorize", {"seed": 7, "variants": 2}), ("upscale", {"scale": 2.0})):
        fractions = []
        job = session.submit(task, options, {"source": source})
        results = job.wait(lambda p, seen=fractions: seen.append(p.fraction))
        assert fractions == sorted(fractions) and fractions[-1] == 1.0, fractions
        said[task] = [[r.width, r.height, hashlib.sha256(r.data).hexdigest()] for r in results]
    job = session.submit("upscale", {}, {"source": source})
    job.cancel()
    while not job.step(0.05):
        pass
    said["cancelled"] = job.state
said["modules"] = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
print(json.dumps(said))
