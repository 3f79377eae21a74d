"""What a user can write and read: spec, status, names. The single source of CRD, types and reference text. Pure."""
