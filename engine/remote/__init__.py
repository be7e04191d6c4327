"""Engines on other machines: keys that two machines know of each other, and ZeroMQ's CURVE between them.

Between programs with pyzmq on both sides: the command line and the Python API there, an engine here. The plug-ins speak to the
engine of their own machine alone.
"""
