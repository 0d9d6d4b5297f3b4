"""The look of the figures: one fixed colour and marker per driver, and what layouts look like."""

# The page replaces these in its figures by its own variables, so that they follow light and dark.
INK = "#1b1d20"
MUTED = "#5c636b"
GRID = "#dadee2"
PAPER = "#fefefe"

# Okabe and Ito's colours, told apart with every kind of colour vision.
ORANGE, SKY, GREEN, YELLOW = "#e69f00", "#56b4e9", "#009e73", "#f0e442"
BLUE, VERMILLION, PURPLE, GREY = "#0072b2", "#d55e00", "#cc79a7", "#8a9097"

HEAT = (214, 232, 247), (0, 76, 128)  # from little to much
BETTER, WORSE = BLUE, ORANGE  # told apart with every kind of colour vision

# Of the layers of a profile: what belongs to AIO is vivid, what surrounds it is not.
LAYERS = {
    "harness": "#b9bfc6", "driver library": SKY, "system call": "#7d6f9a", "aio core": ORANGE,
    "aio lock wait": VERMILLION, "io_uring core": BLUE, "io_uring lock wait": "#00304d",
    "file system": GREEN, "block layer": "#7fbf9f", "device": "#3b6b52", "memory copy": YELLOW,
    "scheduler": PURPLE, "interrupt": "#9c755f", "instrument": "#c9b79c",
    "other": "#d7dade", "unmatched": "#8c1d4f",
}
# Of places that take locks, those that cost most first.
LOCKS = [VERMILLION, ORANGE, BLUE, GREEN, PURPLE, SKY]
WAITS = {"completions": SKY, "lock": VERMILLION, "other_wait": YELLOW, "unknown": GREY,
         "preempted": PURPLE}
SPARE_LAYERS = ["#c2a5cf", "#a6761d", GREY]

KNOWN = {
    "null": (GREY, "p"),
    "sync": (ORANGE, "D"),
    "libaio": (VERMILLION, "o"),
    "libaio@user-reap": (VERMILLION, "8"),
    "libaio@eventfd": (VERMILLION, "H"),
    "io_uring": (BLUE, "s"),
    "io_uring@one-lock": (SKY, "s"),
    "io_uring@sqpoll": (SKY, "P"),
    "io_uring@registered": (BLUE, "P"),
    "kioctx@series": (GREEN, "^"),
    "kioctx@v3.7": (PURPLE, "v"),
}
# For drivers beyond the known, in turn.
SPARE_COLOURS = [SKY, PURPLE, GREEN, ORANGE, BLUE, VERMILLION, YELLOW]
SPARE_MARKERS = ["h", "<", ">", "d", "*"]

FILL = {"per-thread": "full", "shared": "none", "aggregate": "left", "grouped": "bottom"}
LINE = {"per-thread": "-", "shared": (0, (4, 1.6)), "aggregate": (0, (1, 1.2)),
        "grouped": (0, (5, 1.2, 1, 1.2))}


def driver_styles(drivers):
    """{driver: (colour, marker)}. Known drivers look the same in every report, the others in every
    figure of this one."""
    styles = {driver: KNOWN[driver] for driver in drivers if driver in KNOWN}
    taken = [colour for colour, _ in styles.values()]
    spare = sorted(SPARE_COLOURS, key=taken.count)  # those that nobody has first
    for i, driver in enumerate(sorted(set(drivers) - KNOWN.keys())):
        marker = SPARE_MARKERS[(i // len(spare) + i) % len(SPARE_MARKERS)]
        styles[driver] = (spare[i % len(spare)], marker)
    return styles


def layer_styles(layers):
    """{layer: colour}, in the order from the harness inwards; unknown ones last."""
    known = {layer: LAYERS[layer] for layer in LAYERS if layer in layers}
    unknown = sorted(set(layers) - LAYERS.keys())
    return {**known, **{layer: SPARE_LAYERS[i % len(SPARE_LAYERS)]
                        for i, layer in enumerate(unknown)}}
