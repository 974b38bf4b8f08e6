# shellcheck shell=sh
# A target of LIO for /dev/vhost-scsi, through configfs. LUN 0 ramdisk, 1 file, 2 a disk that takes
# 120 ms for each request, 3 one that takes 2 s, 4 one that takes 8 s.
CONFIG=/sys/kernel/config/target
PORT=$CONFIG/vhost/naa.600140554cf3a18e/tpgt_1

# backstore KIND/NAME CONTROL
backstore() {
	mkdir -p "$CONFIG/core/$1"
	echo "$2" >"$CONFIG/core/$1/control"
	echo 1 >"$CONFIG/core/$1/enable"
}

# slow_disk NAME NANOSECONDS: null_blk that completes by a timer of its own for each request
slow_disk() {
	disk=/sys/kernel/config/nullb/$1
	mkdir "$disk"
	for pair in size=4 blocksize=512 memory_backed=1 irqmode=2 hw_queue_depth=256 \
		completion_nsec="$2" power=1; do
		echo "${pair#*=}" >"$disk/${pair%%=*}"
	done
}

lun() {
	mkdir "$PORT/lun/lun_$1"
	ln -s "$CONFIG/core/$2" "$PORT/lun/lun_$1/backstore"
}

mkdir -p $CONFIG/vhost
dd if=/dev/zero of=/tmp/disk1 bs=1M count=4 2>/dev/null
slow_disk nullb1 120000000
slow_disk nullb2 2000000000
slow_disk nullb3 8000000000
backstore rd_mcp_1/ram0 rd_pages=1024
backstore fileio_1/file0 fd_dev_name=/tmp/disk1,fd_dev_size=4194304
backstore iblock_2/slow udev_path=/dev/nullb1
backstore iblock_3/slower udev_path=/dev/nullb2
backstore iblock_4/slowest udev_path=/dev/nullb3
backstore rd_mcp_5/hot rd_pages=256
mkdir -p $PORT
echo naa.6001405e0eef9d5b >$PORT/nexus
lun 0 rd_mcp_1/ram0
lun 1 fileio_1/file0
lun 2 iblock_2/slow
lun 3 iblock_3/slower
lun 4 iblock_4/slowest

# `hot add N` and `hot del N`, for the scenarios that plug LUNs while the guest runs
cat >/bin/hot <<EOF
#!/bin/sh
case \$1 in
add) mkdir $PORT/lun/lun_\$2 && ln -s $CONFIG/core/rd_mcp_5/hot $PORT/lun/lun_\$2/backstore ;;
del) rm $PORT/lun/lun_\$2/backstore && rmdir $PORT/lun/lun_\$2 ;;
esac
EOF
chmod +x /bin/hot
