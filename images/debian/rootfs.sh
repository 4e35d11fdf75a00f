#!/bin/sh
# Makes the root file system of the image debian:bookworm-slim in the directory $1: debootstrap's smallest variant, less what a
# container does not need (documentation, manuals, package caches).
set -eu
root=$1
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
debootstrap --variant=minbase --exclude=e2fsprogs,tzdata bookworm "$root" "$mirror"
chroot "$root" apt-get clean
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/log/*.log "$root"/var/log/apt \
  "$root"/var/cache/ldconfig/aux-cache "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/info/* \
  "$root"/usr/share/locale/* "$root"/usr/share/lintian "$root"/usr/share/linda "$root"/etc/machine-id
: > "$root/etc/machine-id"
rm -f "$root/etc/resolv.conf" "$root/etc/hostname"
