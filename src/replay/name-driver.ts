/** The function that a probe is in tells the driver of an ioctl, which a reader of events cannot know. */
import { EVENT_IP } from "../../assembly/event-abi.ts";
import type { Core } from "../core/core.ts";
import { kernelFunction } from "../core/event-record.ts";
import type { Feed } from "../formats/feed.ts";
import type { IoctlEvent } from "../model/event.ts";
import { driverOf } from "../vhost/ioctl.ts";

/** Puts the driver, and the kernel's function, into the event that was read from the record at `at`. */
export async function nameDriver(
  core: Core,
  feed: Pick<Feed, "symbol" | "probesKernel">,
  event: IoctlEvent,
  at: number,
): Promise<void> {
  const ip = core.view.getBigUint64(at + EVENT_IP, true);
  const driver = driverOf(null, await feed.symbol(ip));
  if (driver === null) return;
  event.driver = driver;
  const fn = feed.probesKernel(ip) ? kernelFunction(driver) : null;
  if (fn !== null) event.fn = fn;
}
