# shellcheck shell=sh
# Every scenario in /scenarios, each with a recording of its own in /out/NAME.
# Settings: lab.form=regs|btf lab.only=NAME,… lab.record=none|OPTION (of the script that records)
form=$(setting form)
only=$(setting only)
record=$(setting record)
. /lab/scsi-target.sh
for c in all default; do # no neighbour discovery on the tap
	echo 1 >/proc/sys/net/ipv6/conf/$c/disable_ipv6 2>/dev/null
done

define() {
	/lab/record.sh define -f "$form" 2>&1
}

# A command of its own, because a scenario may start its recording late.
# $record: further options of the script, such as -w
cat >/bin/start-recording <<EOF
#!/bin/sh
/lab/record.sh start $record -f $form -b \${1:-16384} -o /tmp/recording >/tmp/record.log 2>&1 ||
	cat /tmp/record.log
EOF
chmod +x /bin/start-recording

stop_recording() {
	/lab/record.sh stop >>/tmp/record.log 2>&1 && return
	cat /tmp/record.log
	# What was left behind must not spoil the next scenario.
	/lab/record.sh remove
	define
}

if [ "$record" != none ]; then
	define
	cat /sys/kernel/tracing/kprobe_events >/out/probes.txt
fi
dmesg -c >/out/boot.txt
for script in /scenarios/*.txt; do
	name=${script##*/}
	name=${name%.txt}
	[ -n "$only" ] && case ,$only, in *,$name,*) ;; *) continue ;; esac
	echo "== $name, uptime $(cut -d' ' -f1 /proc/uptime)"
	folder=/out/$name
	mkdir "$folder"
	cp "$script" "$folder/workload.txt"
	# A scenario may ask for a buffer so small that events are lost.
	buffer=$(sed -n 's/^#! *buffer *\([0-9]*\)$/\1/p' "$script")
	dmesg -c >/dev/null
	[ "$record" = none ] || grep -q '^#! *late' "$script" ||
		start-recording "${buffer:-16384}"
	exercise "$script" "$folder" 2>&1
	status=$?
	[ "$record" = none ] || stop_recording
	if [ $status = 77 ]; then # this kernel does not offer what the scenario asks for
		rm -rf "$folder"
	else
		cp /tmp/record.log /tmp/recording/* "$folder/" 2>/dev/null
		dmesg >"$folder/dmesg.txt"
		[ $status = 0 ] || echo "exit status $status" | tee "$folder/failed.txt"
	fi
	rm -rf /tmp/recording* /tmp/record.log
done
[ "$record" = none ] || /lab/record.sh remove
