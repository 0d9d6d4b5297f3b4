"""Makes the SVG that matplotlib writes small, for inside a page: a figure is mostly styles, ids and
digits that no screen shows."""

import re

TAG = re.compile(r"(<[^>]*>)")
FIGURE = re.compile(r'<svg role="img" aria-label="Figure.*?</svg>', re.DOTALL)
STYLE = re.compile(r' style="([^"]*)"')
REFERENCE = re.compile(r'(?:href="#|url\(#)([^")]*)')
COMMAND = re.compile(r"([A-Za-z])([^A-Za-z]*)")
SMALL = 20  # points; what is smaller, such as a marker, keeps a hundredth, the rest a tenth
CLASS = "f"  # of a figure's elements, before a number


def _text(units, per_point):
    return f"{units / per_point:g}" if units else "0"


def _joined(numbers, per_point):
    parts = [_text(number, per_point) for number in numbers]
    return parts[0] + "".join(part if part.startswith("-") else f" {part}" for part in parts[1:])


def _line(dx, dy, per_point):
    if not dx and not dy:
        return ""
    if not dy:
        return "h" + _text(dx, per_point)
    return "v" + _text(dy, per_point) if not dx else "l" + _joined([dx, dy], per_point)


def path(data):
    """A path of absolute moves, lines and curves as a relative one."""
    steps = [(letter, list(map(float, rest.split()))) for letter, rest in COMMAND.findall(data)]
    if not all(letter in "MLCQz" for letter, _ in steps):
        return data
    most = max((abs(number) for _, numbers in steps for number in numbers), default=0)
    per_point = 100 if most < SMALL else 10
    out, x, y, start = [], 0, 0, (0, 0)
    for letter, numbers in steps:
        if letter == "z":
            out.append("z")
            x, y = start
            continue
        units = [round(number * per_point) for number in numbers]
        if letter == "M":
            out.append("M" + _joined(units, per_point))
            start = tuple(units)
        elif letter == "L":
            out.append(_line(units[0] - x, units[1] - y, per_point))
        else:
            out.append(letter.lower() + _joined(
                [unit - (y if i % 2 else x) for i, unit in enumerate(units)], per_point))
        x, y = units[-2:]
    return "".join(out)


def _place(match):
    return f' {match[1]}="{float(match[2]):.1f}"'.replace('.0"', '"')


def _small_tag(tag, names):
    tag = re.sub(r' id="([^"]*)"', lambda m: f' id="{names[m[1]]}"' if m[1] in names else "", tag)
    tag = re.sub(r'(href="#|url\(#)([^")]*)', lambda m: m[1] + names[m[2]], tag)
    tag = re.sub(r' transform="rotate\(-0 [^"]*"', "", tag)
    if not tag.startswith("<svg"):
        tag = re.sub(r' (x|y)="(-?[\d.]+)"', _place, tag)
    return re.sub(r' d="([^"]*)"', lambda m: f' d="{path(m[1])}"', tag)


def figure(svg, key):
    """The same figure with ids that begin with `key`, and only those that are used."""
    used = dict.fromkeys(REFERENCE.findall("".join(TAG.findall(svg))))
    names = {name: f"{key}-{i}" for i, name in enumerate(used)}
    out, kept = [], []  # whether each open group is kept
    for part in TAG.split(svg):
        if not part.startswith("<"):
            out.append(part if part.strip() else "")
            continue
        tag = _small_tag(part, names)
        if tag == "</g>":
            tag = tag if kept.pop() else ""
        elif re.match(r"<g[ >]", tag):
            kept.append(tag != "<g>")
            tag = tag if kept[-1] else ""
        out.append(tag)
    return re.sub(r"<defs></defs>", "", "".join(out))


def share_styles(page):
    """The page with the styles of its figures in its style sheet, once each."""
    classes = {}

    def named(match):
        name = classes.setdefault(match[1], f"{CLASS}{len(classes)}")
        return f' class="{name}"'

    page = FIGURE.sub(lambda figure: TAG.sub(lambda tag: STYLE.sub(named, tag[0]), figure[0]), page)
    rules = "".join(f".{name}{{{style}}}\n" for style, name in classes.items())
    return page.replace("</style>", rules + "</style>", 1)
