"""Sections and corridors: traffic between the sites of a road.

A corridor is one direction of travel: its stations lie in the order in which they are
passed, and their chainage (m) rises with it. The opposite direction is another
corridor.
"""
