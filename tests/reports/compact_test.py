"""Figures made small for a page show what they showed."""

import re

import pytest
from reports import compact

MATPLOTLIB = """<svg role="img" aria-label="Figure: x">
 <defs>
  <path id="m1" d="M 0 2.51234
C 0.7 2.5 1.3 2.2 1.8 1.8
z
" style="stroke: #000"/>
 </defs>
 <g id="line2d_1">
  <g>
   <path d="M 10.04 20
L 30.26 20
L 30.26 15
L 31.5 14
" clip-path="url(#p1)" style="stroke: #000"/>
  </g>
  <g clip-path="url(#p1)">
   <use href="#m1" x="10.123" y="5" style="fill: #111"/>
  </g>
  <text x="1.26" transform="rotate(-0 1.26 3)" style="fill: #111">style="a" id="b" &lt;g&gt;</text>
 </g>
 <defs><clipPath id="p1"/></defs>
</svg>"""


def test_figure_keeps_what_is_drawn():
    small = compact.figure(MATPLOTLIB, "k")
    assert small == (
        '<svg role="img" aria-label="Figure: x"><defs>'
        '<path id="k-1" d="M0 2.51c0.7-0.01 1.3-0.31 1.8-0.71z" style="stroke: #000"/></defs>'
        '<path d="M10 20h20.3v-5l1.2-1" clip-path="url(#k-0)" style="stroke: #000"/>'
        '<g clip-path="url(#k-0)"><use href="#k-1" x="10.1" y="5" style="fill: #111"/></g>'
        '<text x="1.3" style="fill: #111">style="a" id="b" &lt;g&gt;</text>'
        '<defs><clipPath id="k-0"/></defs></svg>')


def test_errors_of_rounding_do_not_add_up():
    steps = [(i * 0.333, i * 0.777 % 7) for i in range(300)]
    small = compact.path("M 0 0 " + " ".join(f"L {x} {y}" for x, y in steps))
    x = y = 0
    for letter, rest in re.findall(r"([hvl])([^A-Za-z]*)", small):
        moved = list(map(float, re.findall(r"-?[\d.]+", rest)))
        x += moved[0] if letter != "v" else 0
        y += moved[-1] if letter != "h" else 0
    assert (x, y) == pytest.approx(steps[-1], abs=0.06)


def test_path_that_is_not_known_stays():
    assert compact.path("M 0 0 A 1 1 0 0 1 2 2") == "M 0 0 A 1 1 0 0 1 2 2"


def test_styles_stand_once_in_the_page():
    page = compact.share_styles(
        f'<style>a{{}}</style><p style="color: red">x</p>{MATPLOTLIB}{MATPLOTLIB}')
    assert page.startswith('<style>a{}.f0{stroke: #000}\n.f1{fill: #111}\n</style>'
                           '<p style="color: red">')
    assert page.count('class="f0"') == 4 and page.count('>style="a" id="b"') == 2
