"""Flame graphs as SVG without a library: folded stacks in, text out.

Every frame is an <svg> of its own with its place in percent, so that the graph fits any width
while its text keeps its size and is cut at the frame's edge. page.js adds zoom and search; without
it each frame still has its name and its numbers in a <title>."""

from dataclasses import dataclass, field

from markupsafe import Markup, escape

from . import units
from .style import layer_styles

ROW_PIXELS = 17
LEAST_SHARE = 0.002  # of the samples, that a frame needs to be drawn
LEAST_TEXT_SHARE = 0.012  # that it needs to bear its name
MOST_FRAMES = 1200
MOST_DEPTH = 96
REST = "(stacks not kept)"  # of samples that the file has no stacks of
NAME_CHARACTERS = 120
OWN_NAMESPACE = "aioscope::"  # which would fill the boxes
DEEPEST_CHANGE = 0.05  # of the share of the samples, that gets the deepest colour


@dataclass
class Frame:
    name: str
    samples: int = 0
    own: int = 0  # not in a frame above
    layers: dict = field(default_factory=dict)  # layer -> samples
    callees: dict = field(default_factory=dict)  # name -> Frame

    @property
    def layer(self):
        """The layer of most of its samples."""
        return max(sorted(self.layers), key=self.layers.get, default="")


def tree(profile):
    """The root over the stacks; what is deeper than MOST_DEPTH is cut off."""
    root, stacks = Frame("all"), [*profile.stacks.items()]
    if profile.rest and stacks:
        stacks.append((((REST,), ""), profile.rest))
    for (frames, layer), samples in stacks:
        frame = root
        for name in [None, *frames[:MOST_DEPTH]]:
            if name is not None:
                frame = frame.callees.setdefault(name, Frame(name))
            frame.samples += samples
            frame.layers[layer] = frame.layers.get(layer, 0) + samples
        frame.own += samples
    return root


def _placed(root):
    """(frame, depth, first sample) of the frames that are drawn, wide ones first when there are
    too many; callees in the order of their names, so that two graphs can be laid side by side."""
    found, waiting = [], [(root, 0, 0)]
    while waiting:
        frame, depth, first = waiting.pop()
        found.append((frame, depth, first))
        for name in sorted(frame.callees):
            callee = frame.callees[name]
            if callee.samples >= LEAST_SHARE * root.samples:
                waiting.append((callee, depth + 1, first))
            first += callee.samples
    if len(found) > MOST_FRAMES:
        # A callee is never wider than its caller: no caller is lost before its callees.
        found.sort(key=lambda item: (-item[0].samples, item[1]))
        del found[MOST_FRAMES:]
    return sorted(found, key=lambda item: (item[1], item[2]))


def _change_colour(change):
    """Blue for less, orange for more; the more, the deeper."""
    strength = min(1.0, abs(change) / DEEPEST_CHANGE)
    if strength < 0.05:
        return "#e6e8ea"
    light, deep = (((255, 233, 199), (224, 118, 0)) if change > 0
                   else ((214, 232, 247), (0, 104, 170)))
    return "#" + "".join(f"{round(a + (b - a) * strength):02x}" for a, b in zip(light, deep))


def _ink(colour):
    """Black or white, whichever reads better on it."""
    red, green, blue = (int(colour[i:i + 2], 16) for i in (1, 3, 5))
    return "#111" if 0.299 * red + 0.587 * green + 0.114 * blue > 125 else "#fff"


def _svg(root, label, colour_of, says):
    placed = _placed(root)
    deepest = max(depth for _, depth, _ in placed)
    height = (deepest + 1) * ROW_PIXELS
    out = [f'<svg class="flame" role="img" aria-label="{escape(label)}" width="100%" '
           f'height="{height}" data-total="{root.samples}">']
    for frame, depth, first in placed:
        share = frame.samples / root.samples
        colour = colour_of(frame)
        name = units.shorten(frame.name, NAME_CHARACTERS)
        text = (f'<text x="3" y="12" fill="{_ink(colour)}">'
                f'{escape(name.removeprefix(OWN_NAMESPACE))}</text>'
                if share >= LEAST_TEXT_SHARE else "")
        top = height - (depth + 1) * ROW_PIXELS
        out.append(f'<svg x="{100 * first / root.samples:.3f}%" y="{top}" '
                   f'width="{100 * share:.3f}%" height="{ROW_PIXELS - 1}">'
                   f'<title>{escape(name)}: {escape(says(frame, share))}</title>'
                   f'<rect width="100%" height="100%" fill="{colour}"/>{text}</svg>')
    out.append("</svg>")
    return Markup("".join(out))


def graph(profile, label):
    """The flame graph of an inside.Profile; a frame has the colour of its layer. None without
    stacks."""
    root = tree(profile)
    if not root.samples:
        return None
    look = layer_styles(root.layers.keys() - {""})

    def says(frame, share):
        own = f", {units.percent(frame.own / root.samples)} of its own" if frame.own else ""
        layer = f", {frame.layer}" if frame.layer else ""
        return f"{frame.samples} samples, {units.percent(share)}{own}{layer}"

    return _svg(root, label, lambda frame: look.get(frame.layer, "#e6e8ea"), says)


def legend(profile):
    """[(layer, colour)]."""
    return list(layer_styles({layer for _, layer in profile.stacks} - {""}).items())


def difference(before, after, label):
    """A flame graph as wide as `after`'s samples, each frame coloured by what its share is more or
    less than in `before`. Shares, not samples: the profiles may differ in length. None when one of
    them has no stacks."""
    old, new = tree(before), tree(after)
    if not old.samples or not new.samples:
        return None
    changes, known = {}, set()
    waiting = [(new, old)]
    while waiting:
        frame, was = waiting.pop()
        changes[id(frame)] = (frame.samples / new.samples
                              - (was.samples / old.samples if was else 0.0))
        if was:
            known.add(id(frame))
        waiting += [(callee, was.callees.get(name) if was else None)
                    for name, callee in frame.callees.items()]

    def says(frame, share):
        change = changes[id(frame)]
        return (f"{units.percent(share)}, {units.points(change)} before"
                + ("" if id(frame) in known else " (not there before)"))

    return _svg(new, label, lambda frame: _change_colour(changes[id(frame)]), says)


def largest_changes(before, after, most=12):
    """[(function, share before, share after)] of samples of functions themselves, those that
    changed most first."""
    shares = []
    for profile in (before, after):
        own = {}
        for (frames, _), samples in profile.stacks.items():
            if frames:
                own[frames[-1]] = own.get(frames[-1], 0) + samples
        total = sum(own.values()) or 1
        shares.append({name: samples / total for name, samples in own.items()})
    names = shares[0].keys() | shares[1].keys()
    changes = sorted(((name, shares[0].get(name, 0.0), shares[1].get(name, 0.0))
                      for name in names), key=lambda item: (-abs(item[2] - item[1]), item[0]))
    return [change for change in changes if change[1] != change[2]][:most]
