#!/bin/sh
# Every linter over what it knows. FLAGS: of the C compiler. LUA: the scripts with their parts in place.
# `tests/deps.sh lint` installs the linters; one that is not there is named and left out.
set -u
cd "$(dirname "$0")/.." || exit 1
failed=0

have() {
    command -v "$1" >/dev/null && return
    echo "$1 is not installed and was left out"
    return 1
}

check() {
    "$@" || failed=1
}

sources() {
    git ls-files "$@"
}

# shellcheck disable=SC2046,SC2086 # lists of files without spaces
{
    ! have luacheck || check luacheck -q $LUA
    ! have shellcheck || check shellcheck $(sources '*.sh' .ci/run 'systemd/debian/*.p*' '*.bash-completion')
    ! have cppcheck || check cppcheck --quiet --error-exitcode=1 --inline-suppr --enable=warning,performance,portability -I. \
        '-Djson_array_foreach(a,i,v)=for(;;)' '-Djson_object_foreach(o,k,v)=for(;;)' common queue cdc examples
}

# stderr counts what it found in headers of others.
if have clang-tidy; then
    # shellcheck disable=SC2016 # expanded by sh, once per file
    sources 'common/*.c' 'queue/*.c' 'cdc/*.c' 'examples/*.c' |
        xargs -P "$(nproc)" -n 8 sh -c 'for file; do clang-tidy --quiet "$file" -- $FLAGS 2>/dev/null || exit 255; done' sh || failed=1
fi
exit $failed
