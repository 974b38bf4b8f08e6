#!/bin/sh
# Process 1 of the lab's machine: mounts, modules, then the suite that the kernel's command line
# names (lab.suite=…). Everything below /out goes back to the host as a tar on the first disk.
# Their settings stand at the head of each.
export PATH=/bin LAB_OUT=/out LAB_TRACING=/sys/kernel/tracing/instances/vhost-replay
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mount -t tmpfs -o size=85% none /tmp
mkdir -p /tmp/out /run /dev/shm
mount -o bind /tmp/out /out
mount -t tracefs none /sys/kernel/tracing
echo "LAB kernel $(uname -r)"

# A setting of the kernel's command line: lab.NAME=VALUE, else $2.
setting() {
	value=$(sed -n "s/.*lab\.$1=\([^ ]*\).*/\1/p" /proc/cmdline)
	echo "${value:-$2}"
}

for module in /modules/*.ko; do
	case $module in
	*null_blk.ko) set -- nr_devices=0 ;;
	*) set -- ;;
	esac
	insmod "$module" "$@" 2>/tmp/refused || echo "insmod $module: $(cat /tmp/refused)"
done
mount -t configfs none /sys/kernel/config 2>/dev/null
# LIO names every unknown LUN; those lines must not be held back, nor fill the console.
echo 0 >/proc/sys/kernel/printk_ratelimit
echo 1 >/proc/sys/kernel/printk
uname -a >/out/uname.txt
cat /proc/cmdline >/out/cmdline.txt

suite=$(setting suite)
. "/lab/$suite.sh"

dmesg >/out/dmesg.txt
cd /out && tar cf /dev/vda . && sync
echo "LAB done $suite, uptime $(cut -d' ' -f1 /proc/uptime)"
poweroff -f
