"""How devices are: what their figures mean for whoever looks after them. Pure."""
