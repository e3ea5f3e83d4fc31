"""The whole line under fire: killed, cut off and robbed cycle after cycle, and then audited.

Stands above all other rooms, as a user does; nothing stands on it but its tests, and those of the
rooms whose deaths it knows how to time.
"""
