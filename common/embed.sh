#!/bin/sh
# Writes C source that holds text files: embed.sh sql FILE… gives `const char sql_NAME[]`, embed.sh page FILE…
# `const char page_NAME_EXTENSION[]`, embed.sh lua FILE… gives
# `const struct script script_NAME` with the SHA-1 that Redis knows it by.
set -eu

kind=$1
shift

quoted() {
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/' "$1"
}

case $kind in
sql) echo '#include "cdc/sql/texts.h"' ;;
page) echo '#include "cdc/page/texts.h"' ;;
lua) echo '#include "lua/scripts.h"' ;;
esac
for file in "$@"; do
    name=$(basename "$file" ".$kind")
    echo
    case $kind in
    sql)
        echo "const char sql_${name}[] ="
        quoted "$file"
        echo ';'
        ;;
    page)
        echo "const char page_$(echo "$name" | tr . _)[] ="
        quoted "$file"
        echo ';'
        ;;
    lua)
        sha1=$(sha1sum "$file" | cut -d ' ' -f 1)
        echo "const struct script script_$name = {\"$name\", \"$sha1\","
        quoted "$file"
        echo '};'
        ;;
    esac
done
