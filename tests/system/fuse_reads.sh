#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Reads in pieces, at offsets, by threads, of long texts. Speaks TAP.
# usage: fuse_reads.sh BUILD
# shellcheck disable=SC1091,SC2154 # the library has them
. "$(dirname "$0")/fuse_lib"

check "mounts and serves" start -l
if ! timeout 300 python3 "$here/fuse_reads.py" "$mnt"; then
	failed=1
fi
check "stops" stop
exit "$failed"
