"""How documents of the mesh are read, by whoever writes them and by whoever checks them. Pure."""
