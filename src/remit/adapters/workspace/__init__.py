"""The workspace as a folder of YAML, `.cedar` and `remit.lock`."""
