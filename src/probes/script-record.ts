/** `record.sh`, second part: recording in a trace instance of its own, and the commands. */
export const SCRIPT_RECORD = String.raw`
# The vhost workers of a process: since 6.4 threads of it, before that kernel threads. Both are
# named after it.
workers() {
	grep -l -x "vhost-$1" /proc/[0-9]*/comm /proc/"$1"/task/[0-9]*/comm 2>/dev/null | while read -r c; do
		basename "$(dirname "$c")"
	done
}

# Threads of one virtual machine: QEMU's, and the workers.
threads() {
	for t in /proc/"$1"/task/*/; do basename "$t"; done
	workers "$1"
}

give_up() {
	note "$1"
	[ -e "$S/own.instance" ] && { echo 0 > "$I/events/$G/enable"; rmdir "$I"; } 2>/dev/null
	[ "$defined_here" = 1 ] && undefine
	forget
	rm -rf "$out.partial"
	exit 2
}

# What was ours is gone: all of it but the probes, when they are defined still.
forget() {
	rm -f "$S/own.instance" "$S/reader.pid" "$S/reader.rc" "$S/out" "$S/enabled" "$S/modules" "$S/off" "$S/stopping"
	[ -e "$S/own.probes" ] || rm -rf "$S"
}

put() { (printf '%s\n' "$1" > "$2") 2>/dev/null; }

# The modules that probes are in: one that is loaded anew has another number, and no probe.
modules() { ls -di /sys/module/vhost /sys/module/vhost_* /sys/module/tun /sys/module/tap 2>/dev/null; }

# What somebody else has switched off, if anything.
switched_off() {
	[ -d "$I" ] || { echo "the trace instance was removed"; return; }
	on=
	{ read -r on < "$I/tracing_on"; } 2>/dev/null
	[ "$on" != 0 ] || { echo "tracing_on was set to 0"; return; }
	while read -r e; do
		on=
		{ read -r on < "$I/events/$G/$e/enable"; } 2>/dev/null || { echo "the probe $e was removed"; return; }
		case $on in 0*) echo "the probe $e was switched off"; return ;; esac
	done < "$S/enabled"
	on=
	{ read -r on < /sys/kernel/debug/kprobes/enabled; } 2>/dev/null
	[ "$on" != 0 ] || { echo "all kprobes were switched off"; return; }
	[ "$(modules)" = "$(cat "$S/modules")" ] || echo "a module of vhost was unloaded, or loaded anew"
}

# Looks every second whether all is still on; the first thing that is not is kept with its time.
watch() {
	while sleep 1; do
		[ ! -e "$S/stopping" ] && [ -e "$S/enabled" ] || return
		look
		[ ! -s "$S/off" ] || return
	done
}

look() {
	[ ! -s "$S/off" ] || return 0
	off=$(switched_off)
	[ -n "$off" ] || return 0
	[ -e "$S/stopping" ] || echo "$off, noticed at $(cut -d' ' -f1 /proc/uptime) s of uptime" > "$S/off"
}

# The first time that something was found, it is said.
told=
tell_off() {
	[ -s "$S/off" ] && [ -z "$told" ] || return 0
	told=1
	note "the recording is not whole: $(cat "$S/off")"
}

start() {
	[ -d "$I" ] && die "a recording is under way, or one was cut off; end it with: record.sh stop, or record.sh remove"
	[ -n "$out" ] || out=$PWD/vhost-recording-$(date +%Y%m%dT%H%M%S)
	case $out in /*) ;; *) out=$PWD/$out ;; esac
	if [ -e "$out" ] || [ -e "$out.partial" ]; then die "$out exists already"; fi
	defined_here=0
	if [ -d $T/events/$G ] && [ ! -e "$S/own.probes" ]; then
		die "probes of group $G are defined already, and not by this script; they stay"
	fi
	[ -d $T/events/$G ] || { define; defined_here=1; }
	mkdir "$out.partial" || give_up "cannot make the folder $out.partial"
	forget
	mkdir -p -m 700 "$S" || give_up "cannot write $S"
	mkdir "$I" || give_up "this kernel does not give a trace instance ($I)"
	: > "$S/own.instance"
	put mono "$I/trace_clock" || give_up "this kernel has no clock mono"
	put "$buffer" "$I/buffer_size_kb" || give_up "no memory for a ring buffer of $buffer KiB for each CPU; choose less with -b"
	if [ -n "$pid" ]; then
		[ -d "/proc/$pid" ] || give_up "no process $pid"
		# The kernel does not count a worker as a child: one that comes later would be missed.
		[ -n "$(workers "$pid")" ] || give_up "process $pid has no vhost worker yet; start when its vhost devices run, or leave out -p"
		put 1 "$I/options/event-fork"
		for t in $(threads "$pid"); do
			(echo "$t" >> "$I/set_event_pid") 2>/dev/null || note "thread $t is gone"
		done
	fi
	if [ -n "$writes_only" ] && [ -d "$I/events/$G/desc" ]; then
		put 'acc==2' "$I/events/$G/desc/filter" || give_up "the kernel refused the filter acc==2"
	fi
	(prologue) 2>/dev/null || give_up "cannot write to $out.partial (disk full?)"
	(
		trap '' HUP INT QUIT
		cat "$I/trace_pipe" >> "$out.partial/trace.txt" 2>/dev/null &
		echo $! > "$S/reader.pid"
		wait $!
		echo $? > "$S/reader.rc"
	) </dev/null >/dev/null 2>&1 &
	until [ -s "$S/reader.pid" ]; do sleep 1; done
	put 1 "$I/events/$G/enable" || { end_reader; give_up "the kernel refused to enable the probes"; }
	for e in "$I/events/$G"/*/; do basename "$e"; done > "$S/enabled"
	modules > "$S/modules"
	(trap '' HUP INT QUIT; watch) </dev/null >/dev/null 2>&1 &
	clock_mark
	echo "record.sh: recording to $out.partial"
}

prologue() {
	{
		echo "# tracer: nop"
		echo "#"
		echo "# vhost-replay probes --script; clock mono"
	} > "$out.partial/trace.txt" || return 1
	grep -E "^[pr][0-9]*:$G/" $T/kprobe_events > "$out.partial/probes.txt" || return 1
	about > "$out.partial/about.txt" || return 1
	echo "$out" > "$S/out"
}

about() {
	echo "kernel $(uname -s -r -v -m)"
	echo "clock mono"
	echo "form ${"$"}{used_form:-not known, the probes were defined before}"
	echo "buffer_kb $buffer"
	[ -n "$pid" ] && echo "filter one process and its vhost workers"
	[ -n "$writes_only" ] && echo "filter acc==2"
	echo "begin $(date -u +%Y-%m-%dT%H:%M:%SZ)"
}

# Wall clock beside the clock of the recording: the line itself bears the monotonic time.
clock_mark() {
	now=$(date +%s.%N)
	case $now in *[!0-9.]* | *.) now=$(date +%s) ;; esac
	put "clock_realtime $now" "$I/trace_marker"
}

sum() { cat "$I"/per_cpu/cpu*/stats | awk -F: -v k="$1" '$1 == k { n += $2 } END { print n + 0 }'; }

# The process that reads trace_pipe; its number may be somebody else's by now.
reader_alive() {
	[ -r "$S/reader.pid" ] || return 1
	read -r reader < "$S/reader.pid"
	[ -r "/proc/$reader/cmdline" ] || return 1
	case $(tr '\0' ' ' < "/proc/$reader/cmdline" 2>/dev/null) in
	*"$I/trace_pipe "*) return 0 ;;
	esac
	return 1
}

end_reader() {
	reader_alive || return 0
	kill "$reader" 2>/dev/null
	sleep 1
}

stop() {
	if [ ! -d "$I" ] && [ -e "$S/own.instance" ] && [ -r "$S/out" ]; then
		read -r out < "$S/out"
		forget
		mv "$out.partial" "$out.incomplete"
		die "somebody else removed the trace instance; what was read of it: $out.incomplete"
	fi
	[ -d "$I" ] || die "nothing is being recorded"
	[ -r "$S/out" ] || die "a recording was cut off, and its state is gone; end it with: record.sh remove"
	read -r out < "$S/out"
	look
	: > "$S/stopping"
	off=
	[ -s "$S/off" ] && off=$(cat "$S/off")
	clock_mark
	echo 0 > "$I/tracing_on"
	echo 0 > "$I/events/$G/enable"
	# The reader ends by itself once the buffer is empty, but not when it never got an event.
	idle=0
	while reader_alive && [ $idle -lt 2 ]; do
		sleep 1
		if [ "$(sum entries)" = 0 ]; then idle=$((idle + 1)); else idle=0; fi
	done
	reader_alive && end_reader
	# Its status is written by its parent, a moment after the reader is gone.
	n=0
	until [ -s "$S/reader.rc" ] || [ $n -ge 10 ]; do n=$((n + 1)); sleep 1; done
	rc=unknown
	[ -r "$S/reader.rc" ] && read -r rc < "$S/reader.rc"
	lost=$(($(sum overrun) + $(sum 'commit overrun') + $(sum 'dropped events')))
	left=$(sum entries)
	# The clock's mark at the end and at the beginning are entries, too.
	recorded=$(($(grep -c -E -v '^#|tracing_mark_write' "$out.partial/trace.txt")))
	missed=$(awk -v g="$G" 'NR == FNR { want[$1] = 1; next } ($1 in want) { n += $3 } END { print n + 0 }' - $T/kprobe_profile <<EOF
$(for e in "$T/events/$G"/*/; do basename "$e"; done)
EOF
	)
	(epilogue) 2>/dev/null || rc=full
	bytes=$(wc -c < "$out.partial/trace.txt")
	n=0
	until rmdir "$I" 2>/dev/null || [ $n -ge 10 ]; do n=$((n + 1)); sleep 1; done
	forget
	# 143: ended by end_reader, with nothing left to read.
	case $rc in 0 | 143) ;; *) left=$((left + 1)) ;; esac
	if [ "$left" != 0 ]; then
		mv "$out.partial" "$out.incomplete"
		die "the recording is cut short (disk full?): $out.incomplete"
	fi
	mv "$out.partial" "$out" || die "cannot rename $out.partial"
	echo "record.sh: $bytes bytes in $out/trace.txt"
	echo "record.sh: lost events: $lost, returns not seen: $missed"
	[ "$lost" = 0 ] || note "events were lost: choose a larger buffer (-b), or -w, or -p"
	[ -z "$off" ] || die "the recording is not whole: $off; what came later is not in it"
	[ "$recorded" != 0 ] || note "no vhost event was recorded: no vhost device worked meanwhile, -p is another process, or the queues are served by QEMU, vhost-user or vDPA"
}

epilogue() {
	for s in "$I"/per_cpu/cpu*; do
		basename "$s" || return 1
		cat "$s/stats" || return 1
	done > "$out.partial/ringbuf-stats.txt" || return 1
	{
		echo "end $(date -u +%Y-%m-%dT%H:%M:%SZ)"
		echo "lost_events $lost"
		echo "missed_returns $missed"
		[ -z "$off" ] || echo "switched_off $off"
	} >> "$out.partial/about.txt"
}

remove() {
	failed=0
	if [ -d "$I" ] && [ ! -e "$S/own.instance" ]; then
		failed=1
		note "$I is not of this script, as far as is known, and stays"
	elif [ -d "$I" ]; then
		echo 0 > "$I/tracing_on"
		[ -d "$I/events/$G" ] && echo 0 > "$I/events/$G/enable"
		end_reader
		n=0
		until rmdir "$I" 2>/dev/null; do
			n=$((n + 1))
			[ $n -lt 10 ] || { failed=1; note "cannot remove $I: something reads it"; break; }
			sleep 1
		done
		[ -r "$S/out" ] && note "an unfinished recording stays in $(cat "$S/out").partial"
	fi
	undefine || { failed=1; note "probes of group $G stay: something uses them, or they are not of this script"; }
	[ $failed = 1 ] || rm -rf "$S"
	[ $failed = 0 ] || exit 2
	echo "record.sh: no probe and no buffer of this script is left"
}

status() {
	n=$(count)
	if [ "$n" = 0 ]; then echo "probes: none"; else
		echo "probes: $n"
		grep -E "^[pr][0-9]*:$G/" $T/kprobe_events
	fi
	[ -d "$I" ] || { echo "recording: none"; return; }
	[ -s "$S/off" ] && echo "recording: not whole: $(cat "$S/off")"
	if reader_alive; then echo "recording: to $(cat "$S/out").partial"; else echo "recording: cut off; record.sh stop closes it"; fi
	echo "entries $(sum entries), lost $(sum overrun), read $(sum 'read events')"
}

# Everything that is made here is for root alone.
umask 077
newline='
'
one_line() {
	case $2 in *"$newline"*) die "$1: one line, please" ;; esac
}

command=$1
[ $# -gt 0 ] && shift
out='' buffer=65536 pid='' writes_only='' form='' seconds='' used_form=''
case $command in
run)
	seconds=$1
	[ $# -gt 0 ] && shift
	case $seconds in '' | *[!0-9]*) die "run SECONDS: a number, not '$seconds'" ;; esac
	;;
mark)
	[ $# -gt 0 ] || die "mark: a text"
	one_line mark "$*"
	prepare
	[ -d "$I" ] || die "nothing is being recorded"
	put "$*" "$I/trace_marker" || die "the kernel refused the marker"
	exit 0
	;;
esac
while getopts o:b:p:wf: option; do
	case $option in
	o) out=$OPTARG ;;
	b) buffer=$OPTARG ;;
	p) pid=$OPTARG ;;
	w) writes_only=1 ;;
	f) form=$OPTARG ;;
	*) usage >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# = 0 ] || die "unexpected: $*"
one_line -o "$out"
case $buffer in '' | *[!0-9]*) die "-b: kilobytes, not '$buffer'" ;; esac
case $pid in *[!0-9]*) die "-p: a process id, not '$pid'" ;; esac
case $form in '' | btf | regs) ;; *) die "-f: btf or regs, not '$form'" ;; esac

case $command in
define | start | stop | remove)
	prepare
	not_of_record
	$command
	;;
status)
	prepare
	status
	;;
run)
	prepare
	not_of_record
	trap 'stop_early=1' INT TERM HUP QUIT
	stop_early=
	start
	n=0
	while [ $n -lt "$seconds" ] && [ -z "$stop_early" ]; do sleep 1; tell_off; n=$((n + 1)); done
	(stop)
	rc=$?
	remove
	exit $rc
	;;
-h | --help | help) usage ;;
*) usage >&2; exit 2 ;;
esac
`;
