"""Stands in for the pins of a board: there is none."""

D4 = 4
