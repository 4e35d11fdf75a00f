#!/bin/sh
# Makes the root file system of the image hello-world in the directory $1: a static shell and the greeting it shows.
set -eu
root=$1
here=$(dirname "$(readlink -f "$0")")
mkdir -p "$root/bin"
cp /bin/busybox "$root/bin/cat"
cp "$here/greeting.txt" "$root/greeting.txt"
