"""What serves behind a Service, told by endpoints and the labels and owners of their pods, whatever kind owns them. Pure.

`model` has the values, `source` the seam: one `WorkloadSource` for each way in which versions are told apart.
"""
