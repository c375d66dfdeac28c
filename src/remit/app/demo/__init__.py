"""The demo: real tool servers from PyPI, a poisoned page, and an agent that falls for it.

`install` puts the servers into environments of their own, `page` plays the two hosts of the
story, `agent` is the scripted agent (a file of its own, run under another interpreter), `scene`
lays out the folder it all happens in, and `story` says what each step has to end as.
"""
