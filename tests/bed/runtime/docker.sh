#!/bin/sh
# Stand-in for docker: no engine runs here.  It writes down what it is asked
# for and, for `compose up', starts a server with the env file's password that
# answers as the container of Letta would on the loopback.
state=/srv/docker
mkdir -p "$state"
echo "$*" >>"$state/asked"
case " $* " in
" volume rm "*) ;;
*" compose version "*) echo "Docker Compose version v2.0.0 (stand-in)" ;;
*" config "*)
	python3 -c 'import sys, yaml; yaml.safe_load(open(sys.argv[1]))' "$3" ;;
*" up "*)
	[ -e "$state/pid" ] && kill "$(cat "$state/pid")"
	cp "$3" "$state/compose.yaml"
	set -a
	. /etc/letta/letta.env
	set +a
	setsid python3 -I /mnt/bed/tests/bed/runtime/standin_letta/main.py \
	    server --host 127.0.0.1 --port 18283 >"$state/log" 2>&1 &
	echo $! >"$state/pid" ;;
*" ps "*) [ -e "$state/pid" ] && kill -0 "$(cat "$state/pid")" &&
	printf 'letta\npostgres\nredis\n' ;;
*" exec "*pg_tables*) echo 1 ;;
*" exec "*"FROM agents"*) cat "$state/agents" 2>/dev/null || echo 0 ;;
*" exec "*) echo 1 ;;
*" down "*) kill "$(cat "$state/pid")"; rm -f "$state/pid" ;;
*) exit 64 ;;
esac
