"""The full pipeline under attack: killed, cut off and robbed cycle after cycle, and then audited.

It uses all other rooms, as a user does. Nothing imports it but its tests, and those of the
rooms whose deaths it knows how to time.
"""
