"""The command line: plan, check, audit, show, report, new and convert."""
