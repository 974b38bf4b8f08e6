/**
 * `record.sh`, first part: what forbids probes on this host, and their definition and removal.
 * POSIX sh, and the tools of a busybox: it also runs in an initramfs.
 */
export const SCRIPT_DEFINE = String.raw`
usage() {
	cat <<'EOF'
usage: record.sh COMMAND [options]
  define          define the probes (nothing is recorded yet)
  start           start to record, defining the probes when they are not
  mark TEXT...    write TEXT into the recording (dirty_sync_begin N, dirty_sync_end N)
  stop            stop, say what was lost, and close the recording
  run SECONDS     define, start, wait, stop, remove
  status          what is defined, what is recorded
  remove          stop, and remove every probe and buffer of this script
options:
  -o DIR   folder of the recording (default: vhost-recording-DATE)
  -b KB    ring buffer of each CPU (default 65536)
  -p PID   only the virtual machine whose QEMU has this process id
  -w       of the descriptors only those that the device writes (acc==2): fewer bytes,
           the same dirty log
  -f FORM  btf or regs (default: what this kernel takes)
EOF
}

die() { echo "record.sh: $*" >&2; exit 2; }
note() { echo "record.sh: $*" >&2; }

G=vl
T=''
I=''
S=''

# tracefs, mounted when it is not; everything that forbids probes is said here.
prepare() {
	[ "$(id -u)" = 0 ] || die "needs root"
	if grep -qs '\[confidentiality\]' /sys/kernel/security/lockdown; then
		die "the kernel is locked down (confidentiality), which forbids kprobes"
	fi
	for d in /sys/kernel/tracing /sys/kernel/debug/tracing; do
		[ -e $d/trace_clock ] && { T=$d; break; }
	done
	if [ -z "$T" ]; then
		[ -d /sys/kernel/tracing ] || die "this kernel has no tracefs (CONFIG_FTRACE, and /sys mounted?)"
		mount -t tracefs nodev /sys/kernel/tracing 2>/dev/null || die "tracefs is not mounted, and mounting it on /sys/kernel/tracing failed"
		T=/sys/kernel/tracing
	fi
	[ -e $T/kprobe_events ] || die "this kernel has no kprobe events (CONFIG_KPROBE_EVENTS)"
	I=$T/instances/vhost-replay
	for d in /run /var/run /dev; do
		[ -d $d ] && [ -w $d ] && { S=$d/vhost-replay-record; break; }
	done
	[ -n "$S" ] || die "no writable /run for the state of a recording"
}

# The folder $S is that of vhost-replay record, too: it says what of this host is ours, and whose.
not_of_record() {
	[ ! -e "$S/recorder.json" ] || die "vhost-replay record has a recording here, or the rest of one; end it (Ctrl-C), or: vhost-replay record --cleanup"
}

has() { echo "$symbols" | grep -q -E " $1([[:space:]]|\$)"; }

read_symbols() {
	symbols=$(grep -E " ($functions)(\.(isra|constprop|part|llvm)\.[0-9]+)*([[:space:]]|\$)" /proc/kallsyms)
}

# The offsets of the register form hold for one build only.
check_build() {
	machine=$(uname -m)
	[ "$machine" = "$made_for_machine" ] || die "made for $made_for_machine, this is $machine"
	release=$(uname -r)
	if [ -n "$made_for_release" ] && [ "$release" != "$made_for_release" ]; then
		[ "$1" = btf ] || die "made for kernel $made_for_release, this is $release; make a script for it with: vhost-replay probes --script"
		note "made for kernel $made_for_release, this is $release; its own names decide"
	fi
	[ "$1" = regs ] || return 0
	while read -r blob want size; do
		[ -n "$blob" ] || continue
		[ -r "/sys/kernel/btf/$blob" ] || { note "cannot check that this is the build it was made for: no /sys/kernel/btf/$blob"; continue; }
		if command -v cksum >/dev/null; then
			is=$(cksum < "/sys/kernel/btf/$blob")
			[ "$is" = "$want $size" ] && continue
		else
			[ "$(wc -c < "/sys/kernel/btf/$blob")" -eq "$size" ] && continue
		fi
		die "made for another build of this kernel: /sys/kernel/btf/$blob differs; make a new script for it"
	done <<EOF
$blobs
EOF
}

count() { grep -c -E "^[pr][0-9]*:$G/" $T/kprobe_events; }

add() {
	before=$(count)
	(printf '%s\n' "$1" >> $T/kprobe_events) 2>/dev/null
	[ "$(count)" -gt "$before" ]
}

missing() {
	other=$(echo "$symbols" | grep -o -E " $2\.[a-z]+\.[0-9.a-z]+" | head -n 1)
	if [ -n "$other" ]; then
		note "without $1: $3 (the compiler made$other of $2: its arguments are not where the source has them)"
	else
		note "without $1: $3 ($2 is not in this kernel, or its module is not loaded)"
	fi
}

# Defines what can be defined; 1 when the kernel refuses a definition.
place() {
	while IFS='|' read -r event func def; do
		[ -n "$event" ] || continue
		if has "$func"; then
			add "$def" || { refused=$def; return 1; }
			echo "$event" >> "$S/own.probes"
		else
			missing "$event" "$func" "$(without "$event")"
		fi
	done <<EOF
$("definitions_$1")
EOF
}

refusal() {
	note "the kernel refused: $refused"
	if grep -q -s -E "[[:space:]]$func\$" /sys/kernel/debug/kprobes/blacklist; then
		note "$func is on this kernel's blacklist of probes"
	elif ! [ -w $T/kprobe_events ]; then
		note "tracefs may not be written here: in a container, or under a security module; record on the host itself"
	fi
	[ -r $T/error_log ] && tail -n 3 $T/error_log >&2
}

# Removes the probes that this script defined, and no others; 1 when some of the group are left.
undefine() {
	[ -d $T/events/$G ] || { rm -f "$S/own.probes"; return 0; }
	[ -e "$S/own.probes" ] || return 1
	while read -r e; do
		[ -d "$T/events/$G/$e" ] || continue
		echo 0 > "$T/events/$G/$e/enable" 2>/dev/null
		n=0
		until echo "-:$G/$e" >> $T/kprobe_events 2>/dev/null || [ ! -d "$T/events/$G/$e" ]; do
			n=$((n + 1))
			[ $n -lt 10 ] || break
			sleep 1
		done
	done < "$S/own.probes"
	[ ! -d $T/events/$G ] || return 1
	rm -f "$S/own.probes"
}

define() {
	[ -d $T/events/$G ] && die "probes of group $G are defined already; remove them first: record.sh remove"
	read_symbols
	found=0
	for f in $drivers; do has "$f" && found=1; done
	[ $found = 1 ] || die "$no_driver"
	for try in $forms; do
		[ -z "$form" ] || [ "$form" = "$try" ] || continue
		check_build "$try"
		refused=
		mkdir -p -m 700 "$S" || die "cannot write $S"
		if place "$try"; then
			used_form=$try
			echo "record.sh: $(count) probes defined, form $try"
			while IFS='|' read -r event func why; do
				[ -n "$event" ] && note "without $event: $(without "$event") ($func: $why)"
			done <<EOF
$unplaced
EOF
			return 0
		fi
		refusal
		undefine || die "probes were left behind; try: record.sh remove"
	done
	[ -n "$refused" ] || die "this script holds no definitions in the form $form"
	die "no probe is defined"
}
`;
