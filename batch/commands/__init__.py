"""One module per command of the command line; each returns an ``Outcome`` and prints nothing on stdout."""
