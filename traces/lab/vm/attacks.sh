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

verdict() {
	if [ -z "$wrong" ]; then say "ok $what"; else
		say "WRONG $what: $wrong"
		sed 's/^/  /' $SAID >>/out/attacks.txt
	fi
	wrong=
}
done_with() {
	is "! grep -q -E '^[pr][0-9]*:vl/' $T/kprobe_events" "probes are left: $(grep -c ':vl/' $T/kprobe_events)"
	is "[ ! -d $I ]" "the instance is left"
	is "[ ! -e $S ]" "the state is left: $(ls $S 2>/dev/null | tr '\n' ' ')"
	is "! grep -l -s '[t]race_pipe' /proc/[0-9]*/cmdline | grep -q ." "a reader is left"
	theirs >/tmp/now
	is "cmp -s /tmp/theirs /tmp/now" "what is somebody else's was touched"
	verdict
	# The next case begins with a clean host.
	for e in $I/events/vl; do [ -d $e ] && echo 0 >$e/enable; done
	rmdir $I 2>/dev/null
	for e in $(sed -n 's/^[pr][0-9]*:vl\/\([^ ]*\).*/\1/p' $T/kprobe_events); do echo "-:vl/$e" >>$T/kprobe_events; done
	rm -rf $S $R/*
}

# Records by the script or by the tool for $1 seconds, and does $2 once it records. In the foreground: a shell
# lets what it runs in the background ignore INT and QUIT. $recorder is the process, for $2.
run_script() {
	meanwhile 'record.sh run' "$2" &
	/lab/record.sh run "$1" -b 1024 -o ${3:-$R/out} >>$SAID 2>&1
	over $?
}
run_tool() {
	meanwhile 'cli.js record --for' "$2" &
	node /tool/dist/cli/cli.js record --for "$1" --buffer-size 1024 --recorder tracefs \
		--driver scsi -o ${3:-$R/out} >>$SAID 2>&1
	over $?
}
# The first process whose command line holds $1.
process() {
	for p in $(cd /proc && echo [0-9]* | tr ' ' '\n' | sort -n); do
		[ "$p" != $$ ] || continue
		[ -r "/proc/$p/cmdline" ] && { tr '\0' ' ' <"/proc/$p/cmdline"; } 2>/dev/null | grep -q "$1" && echo "$p" && return
	done
}
meanwhile() {
	until grep -q 1 $I/events/vl/enable 2>/dev/null; do
		[ ! -e /tmp/over ] || return
		sleep 1
	done
	# What watches begins a moment later.
	sleep 3
	recorder=$(process "$1")
	eval "$2"
}
over() {
	status=$1
	touch /tmp/over
	wait
	rm /tmp/over
}

attacks_on() {
	by=$1
	for signal in INT TERM HUP QUIT; do
		case_is "$by: ended by $signal"
		run_$by 600 "kill -$signal \$recorder"
		is "[ $status = 0 ] || [ $status = 3 ]" "status $status"
		is "[ -s $R/out/trace.txt ]" "no recording"
		is "[ -z \"$(find $R ! -type d -perm /077 2>/dev/null)\" ]" "a file is for others, too"
		done_with
	done

	case_is "$by: tracing_on is set to 0"
	run_$by 25 "echo 0 >$I/tracing_on"
	status_is 2
	told 'tracing_on was set to 0'
	done_with

	case_is "$by: one probe is switched off"
	run_$by 25 "echo 0 >$I/events/vl/used/enable"
	status_is 2
	told 'the probe used was switched off'
	done_with

	case_is "$by: all kprobes are switched off"
	run_$by 25 "echo 0 >/sys/kernel/debug/kprobes/enabled"
	echo 1 >/sys/kernel/debug/kprobes/enabled
	status_is 2
	told 'all kprobes were switched off'
	done_with

	case_is "$by: a module is loaded anew"
	run_$by 25 "rmmod vhost_scsi; insmod /modules/*vhost_scsi.ko"
	status_is 2
	told 'unloaded'
	done_with

	case_is "$by: a group of the same name is there"
	echo 'p:vl/desc vhost:vhost_poll_stop' >>$T/kprobe_events
	run_$by 3 :
	status_is 2
	told 'group vl are defined already'
	is "grep -q 'vl/desc' $T/kprobe_events" "a foreign probe was removed"
	echo '-:vl/desc' >>$T/kprobe_events
	done_with

	case_is "$by: an instance of the same name is there"
	mkdir $I
	run_$by 3 :
	status_is 2
	is "[ -d $I ]" "a foreign instance was removed"
	rmdir $I
	done_with

	case_is "$by: killed, then cleaned up"
	run_$by 600 "kill -9 \$recorder"
	clean_$by
	status_is 0
	told 'unfinished recording stays in'
	done_with

	case_is "$by: the disk is full"
	mkdir -p $R/small
	mount -t tmpfs -o size=64k none $R/small
	dd if=/dev/zero of=$R/small/full bs=1k 2>/dev/null
	run_$by 3 : $R/small/out
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
attacks_on script
if [ -e /tool ]; then
	attacks_on tool

	case_is "script: while record records"
	run_tool 600 "/lab/record.sh remove >>$SAID 2>&1; ls -d $I >>$SAID; kill -INT \$recorder"
	told 'vhost-replay record has a recording here'
	told "^$I"
	done_with

	case_is "tool: cleanup while the script records"
	run_script 600 "clean_tool; ls -d $I >>$SAID; kill -INT \$recorder"
	told 'a script of probes --script is recording'
	told "^$I"
	done_with

	case_is "tool: cleanup of what the script left"
	run_script 600 "kill -9 \$recorder \$(cat $S/reader.pid)"
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
	verdict
	if [ -e /tool ]; then
		case_is "tool: a kernel that is locked down"
		run_tool 3 :
		status_is 2
		told 'locked down'
		verdict
	fi
else
	say "skipped: this kernel has no lockdown"
fi
