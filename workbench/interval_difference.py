"""The difference of two independent estimates with an interval, made from their own intervals.

Source: the "method of variance estimates recovery" (Zou and Donner 2008, Statistics in Medicine 27:1693), of
which Newcombe's interval for two proportions is a case. Unlike a Wald interval it is right for estimates near
a bound, such as an AUROC near 1, whose own intervals are lopsided.
"""

import math

from procscope.workbench.statistics import Interval


def independent_difference(first: Interval, second: Interval) -> Interval:
    """`first` less `second`; `n` counts the units of both. For estimates from different samples only."""
    difference = first.value - second.value
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    return Interval(difference, difference - below, difference + above, first.n + second.n)
