#!/bin/sh
# Stand-in for `uv pip install' of Letta alone: the packages are those that
# the bed has installed already, with their bytecode; all else is the real uv.
real=/mnt/bed/cache/uv/bin/uv
for last; do :; done
if [ "$1 $2" = "pip install" ] && grep -qs "^letta==0[.]" "$last"; then
	part=${last%/*}
	version=$(sed -n 's/^letta==\([^ ]*\).*/\1/p' "$last")
	from=/mnt/bed/cache/letta-$version
	cp -rsf "$from/lib/python3.11/site-packages/." \
	    "$part/lib/python3.11/site-packages/"
	sed "1s|.*|#!$part/bin/python|" "$from/bin/letta" >"$part/bin/letta"
	chmod 755 "$part/bin/letta"
	exit 0
fi
exec "$real" "$@"
