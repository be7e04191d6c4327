"""The part of Pincel that runs inside an editor: standard library only, Python 3.8 and later.

The installer copies this folder into the plug-ins as it is, so nothing here may import the rest of the engine.
"""
