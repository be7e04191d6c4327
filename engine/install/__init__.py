"""`pincel install`: the plug-ins put into the editors' profiles, with the client beside them."""
