"""`remit attack`: an adversary against a real service over the user's own workspace, its tools played by a dry run.

`ground` lays the workspace out beside its tools' place, `dry_run` is all of its servers, `play` goes through the
attempts that `remit.assure.attack` made, `run` is all of it, and says what came of them.
"""
