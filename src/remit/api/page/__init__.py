"""`/a/…`: the page on which a person decides, rendered here, without a framework and without anybody else's words."""
