# shellcheck shell=sh
# Every scenario in /scenarios, each with a recording of its own in /out/NAME.
form=$(setting form)
only=$(setting only)
. /lab/scsi-target.sh
for c in all default; do # no neighbour discovery on the tap
	echo 1 >/proc/sys/net/ipv6/conf/$c/disable_ipv6 2>/dev/null
done
/lab/record.sh define -f "$form" 2>&1
cat /sys/kernel/tracing/kprobe_events >/out/probes.txt

for script in /scenarios/*.txt; do
	name=${script##*/}
	name=${name%.txt}
	[ -n "$only" ] && case ,$only, in *,$name,*) ;; *) continue ;; esac
	echo "== $name"
	folder=/out/$name
	mkdir "$folder"
	cp "$script" "$folder/workload.txt"
	# A scenario may ask for a buffer so small that events are lost.
	buffer=$(sed -n 's/^#! *buffer *\([0-9]*\)$/\1/p' "$script")
	dmesg -c >/dev/null
	/lab/record.sh start -f "$form" -b "${buffer:-16384}" -o "/tmp/recording" >/tmp/record.log 2>&1 ||
		cat /tmp/record.log
	exercise "$script" "$folder" 2>&1
	status=$?
	/lab/record.sh stop >>/tmp/record.log 2>&1 || cat /tmp/record.log
	cp /tmp/record.log "$folder/record.log"
	if [ $status = 77 ]; then # this kernel does not offer what the scenario asks for
		rm -rf "$folder"
	else
		cp /tmp/recording/* "$folder/"
		dmesg >"$folder/dmesg.txt"
		[ $status = 0 ] || echo "exit status $status" | tee "$folder/failed.txt"
	fi
	rm -rf /tmp/recording*
done
/lab/record.sh remove
