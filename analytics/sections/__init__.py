"""Sections and corridors: what happens between the sites of a road.

A corridor is one direction of travel: its stations lie in the order in which they are
passed, and their chainage (m) rises with it. The way back is a corridor of its own.
"""
