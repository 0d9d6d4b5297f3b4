"""What numbers allow to say: intervals, verdicts, error over many rows. No file formats, no text.

median      median with an exact interval, sign test, blocks needed
paired      two arms measured in turns, in blocks
decide      verdicts over many rows with a bounded chance of any false one, over two looks
power       the least change that a row can show
unpaired    two samples measured one after the other
percentile  intervals of latency percentiles from histograms
fairness    Jain's index

Ratios are compared as differences of natural logarithms, so that twice and half are equally far
from 1. Margins are parts of 1: 0.05 allows a factor up to 1.05, and down to 1 / 1.05.
docs/STATISTICS.md has the methods, their sources and how they were checked.
"""
