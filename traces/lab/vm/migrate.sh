# shellcheck shell=sh
# A real live migration inside the machine: two QEMUs with vhost-scsi-pci over one disk, the guest
# of guest/reader.c in them. Afterwards both are paused, and the memory of both is saved.
# Settings: lab.form lab.guest=KEY=VALUE,… lab.lun=/dev/… (else a file) lab.warm=SECONDS
# lab.live=SECONDS (before the limits are raised) lab.bandwidth=BYTES lab.memory=MIB
form=$(setting form)
guest=$(setting guest | tr ',' ' ')
device=$(setting lun)
warm=$(setting warm 5)
live=$(setting live 10)
bandwidth=$(setting bandwidth 20000000)
memory=$(setting memory 32)
TRACE=/sys/kernel/tracing
CONFIG=/sys/kernel/config/target
SOURCE_PORT=naa.6001405aaaaaaaa1
DESTINATION_PORT=naa.6001405bbbbbbbb1

# --- one backstore, a target port for each side
if [ -n "$device" ]; then
	backstore=$CONFIG/core/iblock_1/lun
	control=udev_path=$device
else
	backstore=$CONFIG/core/fileio_1/lun
	control=fd_dev_name=/lun.raw,fd_dev_size=$(wc -c </lun.raw)
fi
mkdir -p $CONFIG/vhost "$backstore"
echo "$control" >"$backstore/control"
echo 1 >"$backstore/enable"
for port in $SOURCE_PORT $DESTINATION_PORT; do
	mkdir -p "$CONFIG/vhost/$port/tpgt_1"
	echo "${port%1}f" >"$CONFIG/vhost/$port/tpgt_1/nexus"
	mkdir "$CONFIG/vhost/$port/tpgt_1/lun/lun_0"
	ln -s "$backstore" "$CONFIG/vhost/$port/tpgt_1/lun/lun_0/backstore"
done

# --- the probes that the script defines, in the kernel's own buffer, which trace-cmd can extract
/lab/record.sh define -f "$form" 2>&1
cat $TRACE/kprobe_events >/out/probes.txt
echo nop >$TRACE/current_tracer
echo mono >$TRACE/trace_clock
echo 60000 >$TRACE/buffer_size_kb

# qemu NAME EVENTS ARGUMENT…: Debian's QEMU with the libraries of its own release
qemu() {
	name=$1
	events=$2
	shift 2
	ln -sf /qemu/lib/ld-linux-x86-64.so.2 "/tmp/qemu-$name"
	set -- "/tmp/qemu-$name" --library-path /qemu/lib /qemu/qemu-system-x86_64 -L /qemu/share \
		-name "$name" -M pc -accel tcg,tb-size=64 -m "${memory}M" -nodefaults -display none \
		-vga none -no-reboot -serial "file:/out/serial-$name.txt" \
		-qmp "unix:/tmp/$name.qmp,server=on,wait=off" -kernel /reader.elf -append "$guest" \
		-trace "events=$events" -D "/out/$name.log" -msg timestamp=on "$@"
	echo "$*" >"/out/cmdline-$name.txt"
	"$@" >"/out/stderr-$name.txt" 2>&1 &
}

scsi() {
	echo "vhost-scsi-pci,id=s0,wwpn=$1,num_queues=1,migratable=on"
}

clock >/out/clock.txt
echo 1 >$TRACE/events/vl/enable
echo 1 >$TRACE/tracing_on
qemu src /lab/events-source.txt -device "$(scsi $SOURCE_PORT)"
source_pid=$!
until grep -q 'guest: reading' /out/serial-src.txt 2>/dev/null; do
	kill -0 $source_pid 2>/dev/null || {
		echo "the source died:"
		cat /out/stderr-src.txt
		break
	}
	sleep 0.3
done
qemu dst /lab/events-destination.txt -device "$(scsi $DESTINATION_PORT)" \
	-incoming unix:/tmp/migration -S
qmp /tmp/dst.qmp 'info status' >/out/qmp-dst.jsonl
sleep "$warm"
echo "migrating, uptime $(cut -d' ' -f1 /proc/uptime)"
qmp /tmp/src.qmp 'info mtree -f' 'info ramblock' 'info pci' 'info version' \
	'{"execute":"query-status"}' \
	"{\"execute\":\"migrate-set-parameters\",\"arguments\":{\"max-bandwidth\":$bandwidth,\"downtime-limit\":1}}" \
	'{"execute":"migrate","arguments":{"uri":"unix:/tmp/migration"}}' \
	"sleep=$live" '{"execute":"query-migrate"}' \
	'{"execute":"migrate-set-parameters","arguments":{"max-bandwidth":1000000000,"downtime-limit":5000}}' \
	wait=completed '{"execute":"query-status"}' >/out/qmp-src.jsonl
echo "migrated, uptime $(cut -d' ' -f1 /proc/uptime)"
sleep 1
echo 0 >$TRACE/tracing_on
echo 0 >$TRACE/events/vl/enable
clock >>/out/clock.txt
for side in src dst; do
	qmp /tmp/$side.qmp "{\"execute\":\"pmemsave\",\"arguments\":{\"val\":0,\"size\":$((memory * 1048576)),\"filename\":\"/out/ram-$side.bin\"}}" \
		'{"execute":"query-status"}' >>/out/qmp-$side.jsonl
done
qmp /tmp/dst.qmp 'info mtree -f' >/out/mtree-dst.jsonl
qmp /tmp/src.qmp quit >/dev/null
qmp /tmp/dst.qmp quit >/dev/null
cat $TRACE/trace >/out/trace.txt
for cpu in "$TRACE"/per_cpu/cpu*; do
	echo "${cpu##*/}"
	cat "$cpu/stats"
done >/out/ringbuf-stats.txt
cat $TRACE/kprobe_profile >/out/kprobe_profile.txt
(cd /out && trace-cmd extract -o trace.dat >trace-cmd.log 2>&1)
/lab/record.sh remove
