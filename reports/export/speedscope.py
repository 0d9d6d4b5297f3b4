"""The file format of speedscope.app: one profile per row, weights in nanoseconds of CPU time."""

import json

from .folded import profiles

SUMMARY = "sampled stacks for https://www.speedscope.app"
SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def export(summary, rows):
    frames, index = [], {}

    def number_of(name):
        if name not in index:
            index[name] = len(frames)
            frames.append({"name": name})
        return index[name]

    drawn = []
    for row, profile, stacks in profiles(rows):
        weights = [samples * 1e9 / profile.frequency_hz for samples in stacks.values()]
        drawn.append({"type": "sampled", "name": row.row.name, "unit": "nanoseconds",
                      "startValue": 0, "endValue": sum(weights),
                      "samples": [[number_of(name) for name in stack] for stack in stacks],
                      "weights": weights})
    return json.dumps({"$schema": SCHEMA, "exporter": "aioscope", "name": summary.run.path,
                       "activeProfileIndex": 0, "shared": {"frames": frames},
                       "profiles": drawn}) + "\n"
