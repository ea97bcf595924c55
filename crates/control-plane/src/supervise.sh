# Runs one server for as long as the starting process lives: supervise HOME PROGRAM ARGUMENTS...
# Standard input is a pipe whose other end only the starting process holds. The line "stop" ends the server; end of file means that
# the starting process is gone (killed, even), so that the server is ended and HOME removed too, there being nobody else to do it.
# Exit status: the server's.
home=$1
shift
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
(
  read -r word <&3
  trap '' TERM
  kill -KILL "$server" 2>/dev/null
  [ "$word" = stop ]
) &
watcher=$!
wait "$server"
status=$?
kill -TERM "$watcher" 2>/dev/null
wait "$watcher"
# 1: the watcher saw the end of file. Two supervisors may do this at once; the last finds no server writing there any more.
[ $? -ne 1 ] || rm -rf -- "$home"
exit "$status"
