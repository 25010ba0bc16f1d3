"""Arguments and options of every command, as its help words them; what the commands do is in ``batch.commands``.

Modules that load the data libraries or the solver are imported when a command runs, so that help is quick.
"""
