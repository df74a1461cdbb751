"""Which values of the axes go together: a covering design, in which every two values of two axes meet, then chance."""
import itertools
import random


def all_pairs(axes):
    """Every ((axis, value), (axis, value)) of two axes."""
    return {((a, x), (b, y)) for a, b in itertools.combinations(axes, 2) for x in axes[a] for y in axes[b]}


def pairs_of(choice, axes):
    return {((a, choice[a]), (b, choice[b])) for a, b in itertools.combinations(axes, 2)}


def design(axes, seed):
    """Choices {axis: value} in which each pair occurs. Greedy: each starts at a pair that is missing, and takes, axis by axis
    in random order, a value that makes most pairs that are missing; the best of a few such walks is kept."""
    r = random.Random(f"design {seed}")
    order = {axis: number for number, axis in enumerate(axes)}
    pair = lambda a, x, b, y: ((a, x), (b, y)) if order[a] < order[b] else ((b, y), (a, x))
    missing, choices = all_pairs(axes), []
    waiting = sorted(missing)
    r.shuffle(waiting)
    while missing:
        while waiting[-1] not in missing:
            waiting.pop()
        best, most = None, -1
        for _ in range(8):
            choice = dict(waiting[-1])
            rest = [axis for axis in axes if axis not in choice]
            r.shuffle(rest)
            for axis in rest:
                gains = {x: sum(pair(axis, x, a, y) in missing for a, y in choice.items()) for x in axes[axis]}
                choice[axis] = r.choice([x for x in axes[axis] if gains[x] == max(gains.values())])
            gain = len(pairs_of(choice, axes) & missing)
            if gain > most:
                best, most = choice, gain
        missing -= pairs_of(best, axes)
        choices.append(best)
    return choices


def choose(axes, seed, number, designed):
    """The choice of case `number`: of the design, or behind it a random one."""
    if number < len(designed):
        return designed[number]
    r = random.Random(f"choice {seed} {number}")
    return {axis: r.choice(values) for axis, values in axes.items()}
