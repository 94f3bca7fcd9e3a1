#!/bin/sh
# Prints a script with its shared parts in place of the lines "--@include parts/NAME.lua": include.sh FILE [FOLDER],
# where parts are looked for in FOLDER first. A part is put in without its head, which describes it to its reader.
set -eu
here=$(dirname "$0")
override=${2:-$here}

while IFS= read -r line || [ -n "$line" ]; do
    case $line in
    --@include\ *)
        part=${line#--@include }
        [ -f "$override/$part" ] && file=$override/$part || file=$here/$part
        [ -f "$file" ] || { echo "$1: there is no $part" >&2; exit 1; }
        sed '1,/^$/d' "$file"
        ;;
    *) printf '%s\n' "$line" ;;
    esac
done <"$1"
