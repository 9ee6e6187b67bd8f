"""The command line: one file per verb group, imported only when its verb is used."""
