"""What a policy may look at for one action: plain frozen values and the bytes they are hashed as.

Standard library and `rfc8785` only; every module here is pure.
"""
