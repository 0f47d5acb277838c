"""Array namespaces, caches and checks of arguments, shared by all chapters."""
