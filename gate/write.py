"""gate.json, and what exporters make of it."""

import json
import math

from reports import units
from reports.export import junit, markdown
from reports.gate_file import SCHEMA, Gate
from reports.output import write


def _known(value):
    return value if value is None or math.isfinite(value) else None


def _arm_json(arm, outcome):
    found = {"name": arm.name, "program": arm.program, "sha256": arm.sha256, "driver": arm.driver,
             "driver_sha256": arm.driver_sha256,
             "files": arm.files}
    runs = outcome.measured.runs(arm.side) if outcome.measured else []
    if runs:
        header = runs[0].run.header
        found["tool"], found["host"] = header["tool"], header["host"]
        found["command"] = header["command"]
    return found


def _row_json(one):
    return {
        "name": one.name, "metric": one.metric.words, "key": one.policy.key,
        "unit": one.metric.unit, "better": one.metric.better, "tier": one.tier,
        "verdict": one.verdict, "reason": one.reason, "confirmed": one.confirmed,
        "suspicious": one.suspicious, "ratio": _known(one.ratio), "low": _known(one.low),
        "high": _known(one.high), "base": _known(one.base), "new": _known(one.new),
        "margin": one.margin, "noise": one.noise, "least_detectable": one.least_detectable,
        "error": one.level,
        "blocks": [{"block": number, "ratio": _known(ratio)} for number, ratio
                   in one.block_ratios()],
        "waiver": one.waiver.as_json() if one.waiver else None}


def to_record(outcome, command):
    """The object of gate.json (docs/RESULT_FORMAT.md)."""
    measured = outcome.measured
    plan = outcome.plan
    return {
        "schema": SCHEMA, "verdict": outcome.verdict, "exit_code": outcome.exit_code,
        "reason": outcome.reason, "complete": not outcome.interrupted and not outcome.problem,
        "seed": outcome.options.seed, "alpha": outcome.options.alpha,
        "strict": outcome.options.strict, "command": command,
        "start_realtime_ns": outcome.start_realtime_ns, "elapsed_s": outcome.elapsed_s,
        "base": _arm_json(outcome.arms.base, outcome),
        "new": _arm_json(outcome.arms.new, outcome),
        "same_program": outcome.arms.same_program, "calibration": outcome.calibration,
        "suite": outcome.options.suite, "looks": outcome.looks,
        "order": [block.order for block in measured.blocks] if measured else [],
        "missing_rows": plan.missing if plan else [], "new_rows": plan.new if plan else [],
        "notes": outcome.notes, "waivers": [one.as_json() | {"used": one.used}
                                            for one in outcome.waivers],
        "rows": [_row_json(one) for one in outcome.compared]}


def value(one, number):
    """With its unit."""
    if number is None:
        return units.NONE
    text = one.metric.to_text(number)
    return text if one.metric.in_text else f"{text} {one.metric.unit}"


def write_all(outcome, command):
    """What the options ask for. Raises OSError."""
    options = outcome.options
    record = to_record(outcome, command)
    data = (json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode(
        "utf-8", "replace")
    gate = Gate(options.output or "gate.json", data, json.loads(data))
    if options.output:
        write(options.output, data)
    for path, exporter in ((options.junit, junit), (options.markdown, markdown)):
        if path:
            write(path, exporter.of_gate(gate).encode("utf-8"))
