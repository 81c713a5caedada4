"""The command line: opens, calls a flow, prints what comes back."""
