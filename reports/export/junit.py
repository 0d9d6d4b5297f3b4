"""JUnit XML: a test case for each row of a run, or for each comparison of a gate.

Readers differ in what they show: some leave out the properties, timestamp and host of a suite, so
that the numbers stand in the cases.
"""

import re
from datetime import datetime, timezone
from xml.etree import ElementTree

from .. import gate_words, units

SUMMARY = "rows, or a gate's comparisons, as test cases: for every CI system"
NS_PER_S = 1e9
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _clean(text):
    """Without characters that no XML document can hold."""
    return NOT_XML.sub("\ufffd", text)


def _case(suite, name, classname, kind=None, message="", of_type="", output="", time_s=None):
    """`kind` is None for one that passed, else failure, error or skipped."""
    case = ElementTree.SubElement(suite, "testcase", name=_clean(name),
                                  classname=_clean(classname))
    if time_s is not None:
        case.set("time", f"{time_s:.6f}")
    if kind:
        found = ElementTree.SubElement(case, kind, message=_clean(message))
        if of_type:
            found.set("type", _clean(of_type))
        found.text = _clean(output or message)
    elif output:
        ElementTree.SubElement(case, "system-out").text = _clean(output)


def _text(suite):
    """The document around one suite, which gets its counts."""
    counts = {"tests": "testcase", "failures": "testcase/failure", "errors": "testcase/error",
              "skipped": "testcase/skipped"}
    root = ElementTree.Element("testsuites", name="aioscope")
    for name, path in counts.items():
        for element in (root, suite):
            element.set(name, str(len(suite.findall(path))))
    times = [float(case.get("time")) for case in suite.iterfind("testcase[@time]")]
    if times:
        for element in (root, suite):
            element.set("time", f"{sum(times):.6f}")
    root.append(suite)
    ElementTree.indent(root)
    return ('<?xml version="1.0" encoding="UTF-8"?>\n'
            + ElementTree.tostring(root, encoding="unicode") + "\n")


def _figures(row):
    shares = [f"{units.rate(row.operations_per_s)} op/s",
              f"CPU {units.time(row.cpu_ns_per_op)} per op"]
    shares += [f"{words} {units.time(row.latency.percentile_ns(fraction))}"
               for words, fraction in (("p50", 0.5), ("p99", 0.99)) if row.latency.count]
    return ", ".join([*shares, f"{len(row.repetitions)} repetitions"])


def _add_row(suite, row):
    name, classname = row.row.name, f"aioscope.{row.driver}"
    if row.failed:
        _case(suite, name, classname, "error", row.failed[0]["message"],
              row.failed[0]["kind"], "\n".join(record["message"] for record in row.failed))
    elif row.skipped:
        cure = row.skipped["cure"]
        _case(suite, name, classname, "skipped",
              row.skipped["reason"] + (f" ({cure})" if cure else ""))
    elif not row.measured:
        _case(suite, name, classname, "skipped", "not measured: the run ended before")
    else:
        windows_ns = sum(item.measurement["window_ns"] for item in row.repetitions)
        _case(suite, name, classname, output=_figures(row), time_s=windows_ns / NS_PER_S)


def export(summary, rows):
    """A failed row is an error, a skipped one is skipped. The time is that of its windows."""
    header = summary.run.header
    suite = ElementTree.Element("testsuite", name="aioscope run")
    if isinstance(header["host"].get("name"), str):
        suite.set("hostname", _clean(header["host"]["name"]))
    started_ns = header.get("start_realtime_ns")
    if type(started_ns) is int and 0 <= started_ns < 1 << 63:
        started = datetime.fromtimestamp(started_ns // 10**9, timezone.utc)
        suite.set("timestamp", f"{started:%Y-%m-%dT%H:%M:%S}")
    for row in rows:
        _add_row(suite, row)
    return _text(suite)


def _add_comparison(suite, row):
    name, classname = f"{row['name']} {row['metric']}", f"aioscope.gate.{row['metric']}"
    output = "\n".join(filter(None, (gate_words.numbers(row), row.get("reason"))))
    verdict, waived = row["verdict"], gate_words.waiver(row)
    if verdict == "regressed" and waived:
        _case(suite, name, classname, "skipped", f"regressed, waived by {waived}", "", output)
    elif verdict == "regressed":
        change = "regressed" if row.get("ratio") is None else gate_words.interval(row)
        _case(suite, name, classname, "failure", f"{row['metric']}: {change}", "regression",
              output)
    elif verdict == "inconclusive":
        _case(suite, name, classname, "skipped", "inconclusive: " + (row.get("reason") or output))
    elif verdict in ("improved", "equivalent"):
        _case(suite, name, classname, output="\n".join(filter(None, (verdict, output))))
    else:
        _case(suite, name, classname, "error", row.get("reason") or f"verdict {verdict}",
              "invalid", output)


def of_gate(gate):
    """Of a gate_file.Gate. A regression that somebody answers for is skipped. A gate whose exit
    code is not 0 is never green: without a case that says so it gets one of its own."""
    suite = ElementTree.Element("testsuite", name="aioscope gate")
    for row in gate.rows:
        _add_comparison(suite, row)
    bad = suite.find("testcase/failure") is not None or suite.find("testcase/error") is not None
    verdict, code = gate.record["verdict"], gate.record["exit_code"]
    message = gate.record.get("reason") or f"verdict {verdict}, exit code {code}"
    if not code:
        _case(suite, "the gate", "aioscope.gate", output=gate_words.headline(gate))
    elif not bad:
        kind = "failure" if code in (1, 3) else "error"
        _case(suite, "the gate", "aioscope.gate", kind, message, verdict)
    return _text(suite)
