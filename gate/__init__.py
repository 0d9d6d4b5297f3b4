"""aioscope gate: has a program become worse? Starts programs, and judges what they wrote.

options     the command line
arms        what is compared: two programs, two drivers of one, or result files
child       one program, one run, with an end in every case
plan        rows, blocks and how long they take
blocks      runs both arms in turns and keeps what they measured
policy      which metrics decide, how far they may go
judge       from values of the blocks to a verdict for each row and metric
session     the gate itself: two looks, confirmation on fresh data
validity    what must hold before any number counts
instructions  instructions per operation, by callgrind
calibration   how far the same program strays from itself on this host
self_test   that it stays green and can go red
waivers     regressions that somebody answers for, until a date
outcome     the verdict of the whole, and the exit code
write show  gate.json and what reports make of it; the table

gate -> reports, never the reverse. docs/STATISTICS.md has the methods.
"""
