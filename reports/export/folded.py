"""Folded stacks: a line per stack, its frames from the root separated by ';', and its samples."""

from ..inside import no_profile, profile
from ..load import NothingToExport

SUMMARY = "sampled stacks, one per line: for flamegraph.pl, inferno, speedscope"
REST = "(stacks not kept)"


def profiles(rows):
    """(row, its Profile, {frames: samples}) of the rows that have one."""
    found = []
    for row in rows:
        sampled = profile(row)
        if sampled is None:
            continue
        stacks = {}
        for (frames, _), samples in sampled.stacks.items():
            stacks[frames] = stacks.get(frames, 0) + samples
        if sampled.rest:
            stacks[(REST,)] = sampled.rest
        found.append((row, sampled, stacks))
    if not found:
        raise NothingToExport(f"no profile: {no_profile(rows)}")
    return found


def _frame(name):
    return name.replace(";", ":").replace("\n", " ")


def export(_, rows):
    """Every stack begins with the name of its row."""
    lines = []
    for row, _, stacks in profiles(rows):
        for frames, samples in sorted(stacks.items()):
            lines.append(";".join(map(_frame, (row.row.name, *frames))) + f" {samples}\n")
    return "".join(lines)
