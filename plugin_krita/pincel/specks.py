"""Small regions of a map of numbers given to what surrounds them: so that flats are areas, not freckles.

The map is a picture's at a reduced size, one byte a cell. It is read as runs of equal numbers along the rows, which are
joined to regions; a step takes some rows.
"""

SMALL = 0.0004  # of all cells: a region with fewer is given away
_ROWS = 12  # at each step


def specks(cells, width):
    """A generator that returns (old, new): maps as large as `cells` (bytes) that say, for cells in or beside a small region,
    which number is to be replaced and by which; 255 in `old` where nothing is."""
    runs = yield from _runs(cells, width)
    sizes, edges = {}, {}
    for number, (row, begin, end, value, _) in enumerate(runs):
        root = _root(runs, number)
        sizes[root] = sizes.get(root, 0) + end - begin
        around = edges.setdefault(root, {})
        for length, other in _beside(cells, width, row, begin, end):
            if other != value:
                around[other] = around.get(other, 0) + length
        if number % 400 == 399:
            yield
    least = SMALL * len(cells)
    old, new = bytearray(b"\xff" * len(cells)), bytearray(len(cells))
    for number, (row, begin, end, value, _) in enumerate(runs):
        root = _root(runs, number)
        if sizes[root] < least and edges[root]:
            wanted = max(edges[root], key=edges[root].get)
            first, last = max(0, begin - 1), min(width, end + 1)
            for line in range(max(0, row - 1), min(len(cells) // width, row + 2)):
                at = line * width
                old[at + first : at + last] = bytes([value]) * (last - first)
                new[at + first : at + last] = bytes([wanted]) * (last - first)
        if number % 400 == 399:
            yield
    return bytes(old), bytes(new)


def _runs(cells, width):
    """[[row, begin, end, value, a run that it belongs to (its own number at first)]] of all rows, joined where they touch."""
    runs, before = [], []
    for row in range(len(cells) // width):
        line, begin, now = cells[row * width : (row + 1) * width], 0, []
        while begin < width:
            value = line[begin]
            rest = line[begin:].lstrip(line[begin : begin + 1])
            end = width - len(rest)
            number = len(runs)
            runs.append([row, begin, end, value, number])
            now.append(number)
            begin = end
        at = 0
        for number in now:
            _, begin, end, value, _ = runs[number]
            while at < len(before) and runs[before[at]][2] <= begin:
                at += 1
            look = at
            while look < len(before) and runs[before[look]][1] < end:
                if runs[before[look]][3] == value:
                    one, other = _root(runs, number), _root(runs, before[look])
                    runs[max(one, other)][4] = min(one, other)
                look += 1
        before = now
        if row % _ROWS == _ROWS - 1:
            yield
    return runs


def _root(runs, number):
    while runs[number][4] != number:
        runs[number][4] = runs[runs[number][4]][4]
        number = runs[number][4]
    return number


def _beside(cells, width, row, begin, end):
    """(length, number) of what touches a run: left, right, and above and below it by its middle."""
    at, middle = row * width, (begin + end) // 2
    if begin:
        yield 1, cells[at + begin - 1]
    if end < width:
        yield 1, cells[at + end]
    if row:
        yield end - begin, cells[at - width + middle]
    if at + width < len(cells):
        yield end - begin, cells[at + width + middle]
