/** What the host tells of a device, from its ioctls, and the ends of requests that follow. */
import { DESC_ACC, DESC_LEN, DESC_SIZE, QUEUE_DROPPED, QUEUE_FEAT, QUEUE_FEAT_KNOWN, QUEUE_HEADS, QUEUE_HEADS_CAP, QUEUE_INDEX, QUEUE_MACHINE, QUEUE_NEXT, QUEUE_NEXT_USED, REQUEST_CAPTURED, REQUEST_DESCS, REQUEST_DESC_COUNT, REQUEST_FLAGS, REQUEST_FREED, REQUEST_POP_TS, RequestState } from "../queue-abi";
import { LOG_ALL } from "../known/log-state";
import { stopRing } from "../migration/trackers";
import { firstOfDevice, nextOfDevice } from "../known/device";
import { enterMachine, machine } from "../known/machine";
import { addCount, firstQueue, setFlag, setInFlight } from "../known/queue";
import { finish } from "./write";

/** QEMU stops a device: the used ring of this queue, or of all queues (index -1), is sent again. */
export function stopRings(device: u32, index: i32): void {
  for (let q = firstOfDevice(device); q; q = nextOfDevice(q)) {
    if (index >= 0 && load<i32>(q + QUEUE_INDEX) != index) continue;
    enterMachine(load<u32>(q + QUEUE_MACHINE));
    stopRing(q);
  }
}

/**
 * A SET_FEATURES of this device succeeded. Without LOG_ALL it frees the captured log entries of
 * every command in flight on the I/O queues (vhost_scsi_set_features(), 6.16).
 */
export function setFeatures(device: u32, features: u64): void {
  for (let q = firstOfDevice(device); q; q = nextOfDevice(q)) {
    store<u64>(q + QUEUE_FEAT, features);
    setFlag(q, QUEUE_FEAT_KNOWN, true);
    if (features & LOG_ALL || load<i32>(q + QUEUE_INDEX) < 2) continue;
    let heads = <usize>load<u32>(q + QUEUE_HEADS);
    for (let i: u32 = 0, n = load<u32>(q + QUEUE_HEADS_CAP); i < n; ++i) {
      let request = <usize>load<u32>(heads + (i << 2));
      if (!request) continue;
      let flags = load<u32>(request + REQUEST_FLAGS);
      if (flags & REQUEST_CAPTURED) store<u32>(request + REQUEST_FLAGS, flags | REQUEST_FREED);
    }
  }
}

/** CLEAR_ENDPOINT succeeded: it waits for every command, so what is still here was dropped. */
export function clearEndpoint(device: u32): void {
  for (let q = firstOfDevice(device); q; q = nextOfDevice(q)) {
    store<i32>(q + QUEUE_NEXT_USED, -1);
    endQueue(q, RequestState.Dropped, true);
  }
}

function endQueue(q: usize, state: u32, count: bool): void {
  enterMachine(load<u32>(q + QUEUE_MACHINE));
  let heads = <usize>load<u32>(q + QUEUE_HEADS);
  for (let i: u32 = 0, n = load<u32>(q + QUEUE_HEADS_CAP); i < n; ++i) {
    let request = <usize>load<u32>(heads + (i << 2));
    if (!request) continue;
    if (count) addCount(q + QUEUE_DROPPED, 1);
    setInFlight(q, i, 0);
    finish(request, state);
  }
}

/** At the end of the recording: the requests still in flight become observable. */
export function endInFlight(): void {
  for (let q = firstQueue; q; q = load<u32>(q + QUEUE_NEXT)) endQueue(q, RequestState.InFlight, false);
}

/** Bytes that requests in flight of this machine, popped after `since`, may write: for the bounds in the report. */
export function inFlightWriteBytes(since: u64): f64 {
  let bytes: f64 = 0;
  for (let q = firstQueue; q; q = load<u32>(q + QUEUE_NEXT)) {
    if (<usize>load<u32>(q + QUEUE_MACHINE) != changetype<usize>(machine)) continue;
    let heads = <usize>load<u32>(q + QUEUE_HEADS);
    for (let i: u32 = 0, n = load<u32>(q + QUEUE_HEADS_CAP); i < n; ++i) {
      let request = <usize>load<u32>(heads + (i << 2));
      if (!request || load<u64>(request + REQUEST_POP_TS) < since) continue;
      let desc = <usize>load<u32>(request + REQUEST_DESCS);
      let end = desc + load<u32>(request + REQUEST_DESC_COUNT) * DESC_SIZE;
      for (; desc < end; desc += DESC_SIZE) {
        if (load<u32>(desc + DESC_ACC) == 2) bytes += <f64>load<u32>(desc + DESC_LEN);
      }
    }
  }
  return bytes;
}
