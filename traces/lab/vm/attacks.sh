# shellcheck shell=sh
# What may befall a recording on a host that matters, one case after the other, with the script and with
# `record`. Each leaves a line in /out/attacks.txt: ok or WRONG, what, and why. After each one nothing of ours
# may be left, and what is somebody else's must be as it was.
T=/sys/kernel/tracing
I=$T/instances/vhost-replay
S=/run/vhost-replay-record
R=/tmp/rec
SAID=/tmp/said
mkdir -p $R
mount -t debugfs none /sys/kernel/debug 2>/dev/null
mount -t securityfs none /sys/kernel/security 2>/dev/null

say() { echo "$*" >>/out/attacks.txt; }
case_is() {
	what=$1
	: >$SAID
	echo "== $what, uptime $(cut -d' ' -f1 /proc/uptime)"
}
wrong=
# is CONDITION WORDS: the condition holds, or the words say what is wrong.
is() {
	if ! eval "$1"; then wrong="$wrong$2; "; fi
}
told() { is "grep -q -E \"$1\" $SAID" "not said: $1"; }
status_is() { is "[ $status = $1 ]" "status $status, not $1"; }

# What is somebody else's: a group, a probe, an instance that traces.
echo 'p:other/mine vhost:vhost_poll_stop' >>$T/kprobe_events
mkdir $T/instances/foreign
echo 1 >$T/instances/foreign/events/other/mine/enable
theirs() {
	grep other/mine $T/kprobe_events
	cat $T/instances/foreign/tracing_on $T/instances/foreign/events/other/mine/enable $T/tracing_on
	ls $T/instances
}
theirs >/tmp/theirs

# $1: what else may be there, an extended regular expression.
done_with() {
	is "! grep -q -E '^[pr][0-9]*:vl/' $T/kprobe_events" "probes are left: $(grep -c ':vl/' $T/kprobe_events)"
	is "[ ! -d $I ]" "the instance is left"
	is "[ ! -e $S ]" "the state is left: $(ls $S 2>/dev/null | tr '\n' ' ')"
	is "! grep -l -s trace_pipe /proc/[0-9]*/cmdline | grep -q ." "a reader is left"
	theirs >/tmp/now
	is "cmp -s /tmp/theirs /tmp/now" "what is somebody else's was touched"
	if [ -z "$wrong" ]; then say "ok $what"; else
		say "WRONG $what: $wrong"
		sed 's/^/  /' $SAID >>/out/attacks.txt
	fi
	wrong=
	# The next case begins with a clean host.
	for e in $I/events/vl; do [ -d $e ] && echo 0 >$e/enable; done
	rmdir $I 2>/dev/null
	for e in $(sed -n 's/^[pr][0-9]*:vl\/\([^ ]*\).*/\1/p' $T/kprobe_events); do echo "-:vl/$e" >>$T/kprobe_events; done
	rm -rf $S $R/*
}

# By the script or by the tool: starts a recording of $1 seconds in the background, and waits until it records.
start_script() {
	/lab/record.sh run "$1" -b 1024 -o $R/out >>$SAID 2>&1 &
	began
}
start_tool() {
	node /tool/dist/cli/cli.js record --for "$1" --buffer-size 1024 --recorder tracefs \
		--driver scsi -o $R/out >>$SAID 2>&1 &
	began
}
began() {
	recorder=$!
	n=0
	until grep -q 1 $I/events/vl/enable 2>/dev/null || [ $n -ge 120 ]; do
		n=$((n + 1))
		kill -0 $recorder 2>/dev/null || n=999
		sleep 1
	done
	# The state is written a moment before, and what watches begins a moment after.
	sleep 3
}
ended() {
	wait $recorder
	status=$?
}

attacks_on() {
	by=$1
	for signal in INT TERM HUP QUIT; do
		case_is "$by: ended by $signal"
		start_$by 600
		kill -$signal $recorder
		ended
		is "[ $status = 0 ] || [ $status = 3 ]" "status $status"
		is "[ -s $R/out/trace.txt ]" "no recording"
		is "[ -z \"$(find $R ! -type d -perm /077 2>/dev/null)\" ]" "a file is for others, too"
		done_with
	done

	case_is "$by: tracing_on is set to 0"
	start_$by 8
	echo 0 >$I/tracing_on
	ended
	status_is 2
	told 'tracing_on was set to 0'
	done_with

	case_is "$by: one probe is switched off"
	start_$by 8
	echo 0 >$I/events/vl/used/enable
	ended
	status_is 2
	told 'the probe used was switched off'
	done_with

	case_is "$by: all kprobes are switched off"
	start_$by 8
	echo 0 >/sys/kernel/debug/kprobes/enabled
	ended
	echo 1 >/sys/kernel/debug/kprobes/enabled
	status_is 2
	told 'all kprobes were switched off'
	done_with

	case_is "$by: a module is loaded anew"
	start_$by 12
	rmmod vhost_scsi && insmod /modules/*vhost_scsi.ko
	ended
	status_is 2
	told 'unloaded'
	done_with

	case_is "$by: a group of the same name is there"
	echo 'p:vl/desc vhost:vhost_poll_stop' >>$T/kprobe_events
	start_$by 3
	ended
	status_is 2
	told 'group vl are defined already'
	is "grep -q 'vl/desc' $T/kprobe_events" "a foreign probe was removed"
	echo '-:vl/desc' >>$T/kprobe_events
	done_with

	case_is "$by: an instance of the same name is there"
	mkdir $I
	start_$by 3
	ended
	status_is 2
	is "[ -d $I ]" "a foreign instance was removed"
	rmdir $I
	done_with

	case_is "$by: killed, then cleaned up"
	start_$by 600
	kill -9 $recorder
	sleep 2
	clean_$by
	status_is 0
	told 'unfinished recording stays in'
	done_with

	case_is "$by: the disk is full"
	mkdir -p $R/small
	mount -t tmpfs -o size=16k none $R/small
	full_$by
	status_is 2
	umount $R/small
	done_with
}
clean_script() {
	/lab/record.sh remove >>$SAID 2>&1
	status=$?
}
clean_tool() {
	node /tool/dist/cli/cli.js record --cleanup >>$SAID 2>&1
	status=$?
}
full_script() {
	/lab/record.sh run 3 -b 1024 -o $R/small/out >>$SAID 2>&1
	status=$?
}
full_tool() {
	node /tool/dist/cli/cli.js record --for 3 --buffer-size 1024 --recorder tracefs \
		--driver scsi -o $R/small/out >>$SAID 2>&1
	status=$?
}

attacks_on script
if [ -e /tool ]; then
	attacks_on tool

	case_is "the script, while record records"
	start_tool 600
	/lab/record.sh remove >>$SAID 2>&1
	status=$?
	status_is 2
	told 'vhost-replay record has a recording here'
	is "[ -d $I ]" "a running recording was removed"
	kill -INT $recorder
	ended
	done_with

	case_is "record --cleanup, while the script records"
	start_script 600
	clean_tool
	status_is 2
	told 'a script of probes --script is recording'
	is "[ -d $I ]" "a running recording was removed"
	kill -INT $recorder
	ended
	done_with

	case_is "record --cleanup of what the script left"
	start_script 600
	kill -9 $recorder $(cat $S/reader.pid)
	sleep 2
	clean_tool
	status_is 0
	done_with
fi

# From here on nothing can be recorded: it cannot be undone.
if [ -e /sys/kernel/security/lockdown ]; then
	echo confidentiality >/sys/kernel/security/lockdown
	case_is "script: a kernel that is locked down"
	/lab/record.sh define >>$SAID 2>&1
	status=$?
	status_is 2
	told 'locked down'
	done_with
	if [ -e /tool ]; then
		case_is "tool: a kernel that is locked down"
		start_tool 3
		ended
		status_is 2
		told 'locked down'
		done_with
	fi
else
	say "skipped: this kernel has no lockdown"
fi
