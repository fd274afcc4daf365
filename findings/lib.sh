# SPDX-License-Identifier: GPL-2.0
# What the findings share. Sourced by each of them: packages in a temporary folder, and a verdict.
#
#   suites trixie sid     make apt know these suites, in folders of its own
#   fresh                 begin with an empty $root
#   get PACKAGE=VERSION   download and unpack it in $root, without what it depends on
#   get_all PACKAGE=VERSION   the same with everything that it needs, also libc
#   run PROGRAM ARG...    run a program of $root with its own loader and libraries
#   same WHAT FOUND WANTED    compare, and fail the finding if they differ
#   verdict               the last line of a finding: exit status 0 if all is as seen, else 1
set -euo pipefail

tmp=$(mktemp -d)
root=$tmp/root
mkdir -p "$root" "$tmp"/apt/{state/lists/partial,cache/archives/partial}
failed=0
export root PYTHONPATH
PYTHONPATH=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
export PYTHONDONTWRITEBYTECODE=1
trap 'rm -rf "$tmp"' EXIT

suites() {
	local suite uri
	uri=$("$PYTHONPATH/../tools/debian-uri")
	for suite; do
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main"
	done > "$tmp/apt/sources.list"
	: > "$tmp/apt/status"
	cat > "$tmp/apt/conf" <<END
Dir::State "$tmp/apt/state";
Dir::State::status "$tmp/apt/status";
Dir::Cache "$tmp/apt/cache";
Dir::Etc::sourcelist "$tmp/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
END
	export APT_CONFIG=$tmp/apt/conf
	apt-get -qq update
}

fresh() {
	rm -rf "$root"
	mkdir "$root"
}

# A version that the archive no longer offers is no verdict: exit status 77.
unpack() {
	(cd "$tmp/apt/cache" && apt-get -qq download "$@" > "$tmp/apt/log" 2>&1) || {
		echo "skipped: the archive does not offer $*: $(tail -1 "$tmp/apt/log")"
		exit 77
	}
	for deb in "$tmp"/apt/cache/*.deb; do
		dpkg-deb -x "$deb" "$root"
		rm "$deb"
	done
}

get() { unpack "$@"; }

get_all() {
	local list
	list=$(apt-get -qq -s install "$@" 2> "$tmp/apt/log" | awk '/^Inst/ { gsub(/[()]/, "", $3); print $2 "=" $3 }') || true
	[ -n "$list" ] || { echo "skipped: the archive does not offer $*: $(tail -1 "$tmp/apt/log")"; exit 77; }
	# shellcheck disable=SC2086
	unpack $list
}

run() {
	local program=$1
	shift
	"$root"/usr/lib64/ld-linux-x86-64.so.2 --library-path "$root/usr/lib/x86_64-linux-gnu" "$root/usr/bin/$program" "$@"
}

same() {
	if [ "$2" = "$3" ]; then
		echo "as seen: $1: $2"
	else
		echo "CHANGED: $1: found '$2', seen before '$3'"
		failed=1
	fi
}

verdict() { exit $failed; }
