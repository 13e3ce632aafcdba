#!/bin/sh
# Stand-in for nginx: takes every configuration and never starts, so that an
# apply ends at the edge, behind the server.
case " $* " in
*" -t "* | *" -T "*) echo "nginx: the stand-in looks at nothing" >&2 ;;
*" -v "* | *" -V "*) exec /usr/sbin/nginx "$@" ;;
*) echo "nginx: the stand-in never starts" >&2; exit 1 ;;
esac
