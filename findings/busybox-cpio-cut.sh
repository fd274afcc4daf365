#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# busybox cpio calls an archive complete that is cut between two members; GNU cpio does not.
#
# Versions: busybox 1.37.0 and GNU cpio 2.15 (Debian trixie).
# A cpio archive ends with a member TRAILER!!!. If the file ends before it, where a header would begin, busybox cpio -i
# exits with 0 and says nothing. GNU cpio says "premature end of file" and exits with 2. Cut in the midst of a member,
# both fail.
# Why it matters: an initial RAM disk that was copied in part must be refused before the guests are stopped, so khctl
# looks for the trailer itself.
. "$(dirname "$0")/lib.sh"

suites trixie
get_all busybox-static=1:1.37.0-6+b9 cpio=2.15+dfsg-2
cd "$tmp"
mkdir in out
for n in 1 2 3; do head -c 5000 /dev/zero > in/f$n; done
(cd in && printf '%s\n' f1 f2 f3 | run cpio -o -H newc 2> /dev/null) > whole
# A header has 110 bytes, then the name with its zero byte, then the data, each filled up to 4 bytes.
member=$(((110 + 3 + 3) / 4 * 4 + 5000))

status() { (cd out && "$@" < ../archive > ../said 2>&1 && echo 0 || echo $?); }

for cut in whole boundary midst; do
	case $cut in
	whole) cp whole archive ;;
	boundary) head -c $((2 * member)) whole > archive ;;
	midst) head -c $((2 * member + 1000)) whole > archive ;;
	esac
	busybox=$(status run busybox cpio -i -u)
	gnu=$(status run cpio -i -u)
	same "$cut: status of busybox and of GNU cpio" "$busybox $gnu" \
		"$(case $cut in whole) echo 0 0 ;; boundary) echo 0 2 ;; midst) echo 1 2 ;; esac)"
done
verdict
