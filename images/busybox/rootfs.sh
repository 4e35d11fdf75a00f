#!/bin/sh
# Makes the root file system of the image busybox in the directory $1, from Debian's package busybox-static.
set -eu
root=$1
mkdir -p "$root/bin" "$root/etc" "$root/root" "$root/home" "$root/usr/sbin" "$root/var/spool/mail" "$root/var/www"
mkdir -m 1777 "$root/tmp"
chmod 700 "$root/root"
cp /bin/busybox "$root/bin/busybox"
for applet in $("$root/bin/busybox" --list); do
  [ "$applet" = busybox ] || ln "$root/bin/busybox" "$root/bin/$applet"
done
printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'daemon:x:1:1:daemon:/usr/sbin:/bin/false' 'bin:x:2:2:bin:/bin:/bin/false' \
  'www-data:x:33:33:www-data:/var/www:/bin/false' 'nobody:x:65534:65534:nobody:/home:/bin/false' > "$root/etc/passwd"
printf '%s\n' 'root:x:0:' 'daemon:x:1:' 'bin:x:2:' 'www-data:x:33:' 'users:x:100:' 'nobody:x:65534:' > "$root/etc/group"
