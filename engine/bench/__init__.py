"""`pincel bench`: how fast and how large Pincel is on this machine, in one run and with ratios."""
