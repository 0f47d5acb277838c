"""Array namespaces, caches and checks of arguments. Shared by all chapters."""
