"""What people declare and accept: resources, the lock of tool pins, and what became of them.

Read `assemble` first: resources and lock go in, a catalog or precise problems come out.
"""
