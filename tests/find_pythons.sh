# To be sourced. Puts the Pythons that pyenv keeps on the path, last: uv finds Python 3.13 there by its name, and
# programs without a version stay those that they were.
for folder in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[1-9]*/bin; do
    [ -d "$folder" ] && PATH=$PATH:$folder
done
export PATH
