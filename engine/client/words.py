"""Seconds and bytes in words, the same in the command, the service and the editors."""


def duration(seconds):
    """Seconds in words: "8 s", "3 min", "2 h"."""
    if seconds < 0.95:
        return "%.1f s" % max(0.1, seconds)
    if seconds < 90:
        return "%d s" % round(seconds)
    return "%d min" % round(seconds / 60.0) if seconds < 5400 else "%d h" % round(seconds / 3600.0)


def memory(nbytes):
    """Bytes in words: "350 MB", "1.2 GB"."""
    return "%d MB" % round(nbytes / 1e6) if nbytes < 999.5e6 else "%.1f GB" % (nbytes / 1e9)


def forecast(seconds, nbytes):
    """What a job is expected to take: "about 40 s, 1.2 GB"; the memory is left out where it is not known (0, None)."""
    return "about " + ", ".join([duration(seconds), *([memory(nbytes)] if nbytes else [])])
