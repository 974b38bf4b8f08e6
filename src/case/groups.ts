/**
 * Which recordings of a folder belong together: a kernel and the QEMU that it served share the host
 * addresses of the guest's memory; pieces and forms of one recording share virtqueues; a destination
 * received the pages that a source sent. What shares nothing belongs to what lies in its folder.
 */
import { sameQemu, sameQueues } from "../join/clocks.ts";
import { type FirstLook, sameOrder } from "../join/first-look.ts";

/** Groups of positions in `looks`, and destinations that belong to none of the sources. */
export interface Groups {
  groups: number[][];
  strangers: number[];
}

export function groupRecordings(looks: readonly FirstLook[]): Groups {
  const receivers = looks.flatMap((look, i) => (isReceiver(look) ? [i] : []));
  const others = looks.flatMap((look, i) => (isReceiver(look) ? [] : [i]));
  let groups: number[][] = [];
  for (const i of others) {
    const own = groups.filter((group) => group.some((j) => related(looks[i]!, looks[j]!)));
    groups = [...groups.filter((group) => !own.includes(group)), [...own.flat(), i].sort(number)];
  }
  groups = joinByFolder(groups, looks);
  const strangers: number[] = [];
  for (const i of receivers) {
    const found = groupOfReceiver(i, groups, looks);
    if (found === "other") strangers.push(i);
    else if (found) found.push(i);
    else groups.push([i]);
  }
  groups.sort((a, b) => a[0]! - b[0]!);
  return { groups, strangers };
}

const number = (a: number, b: number): number => a - b;

function isReceiver(look: FirstLook): boolean {
  return look.loads > 0 && look.saves === 0;
}

export function hasKernel(look: FirstLook): boolean {
  return look.parts.some(({ events }) => events > 0);
}

function related(a: FirstLook, b: FirstLook): boolean {
  if (sameQueues(a, b) || sameQemu(a.anchors, b.anchors)) return true;
  for (const address of a.memory) if (b.memory.has(address)) return true;
  return false;
}

/** A QEMU of which nothing tells the kernel belongs to the only kernel that lies nearest. */
function joinByFolder(groups: readonly number[][], looks: readonly FirstLook[]): number[][] {
  const kernels = groups.filter((group) => group.some((i) => hasKernel(looks[i]!)));
  const alone = groups.filter((group) => !kernels.includes(group));
  if (kernels.length === 0) return [...groups];
  const joined = new Map(kernels.map((group) => [group, [...group]]));
  const apart: number[][] = [];
  for (const group of alone) {
    const near = nearest(group, kernels, looks);
    const own = near.length === 1 ? joined.get(near[0]!) : undefined;
    if (own) own.push(...group);
    else apart.push(group);
  }
  return [...joined.values(), ...apart];
}

function nearest(
  group: readonly number[],
  among: readonly number[][],
  looks: readonly FirstLook[],
): number[][] {
  const depth = (other: readonly number[]): number =>
    Math.max(
      ...group.flatMap((i) =>
        other.map((j) => commonDepth(looks[i]!.source.name, looks[j]!.source.name)),
      ),
    );
  const most = Math.max(...among.map(depth));
  return among.filter((other) => depth(other) === most);
}

/** Folders that two paths have in common. */
export function commonDepth(a: string, b: string): number {
  const [one, other] = [a.split("/").slice(0, -1), b.split("/").slice(0, -1)];
  let depth = 0;
  while (depth < one.length && one[depth] === other[depth]) depth++;
  return depth;
}

/** "other": every source sent other pages. */
function groupOfReceiver(
  i: number,
  groups: readonly number[][],
  looks: readonly FirstLook[],
): number[] | "other" | undefined {
  const receiver = looks[i]!;
  const open: number[][] = [];
  let senders = 0;
  for (const group of groups) {
    const sent = group.flatMap((j) => looks[j]!.sent);
    const lossy = receiver.lossy || group.some((j) => looks[j]!.lossy);
    const told = sent.map((order) => sameOrder(order, receiver.received));
    if (told.includes(true)) return group;
    if (sent.length > 0) senders++;
    if (sent.length === 0 || lossy || told.includes(null)) open.push(group);
  }
  if (open.length === 0) return senders > 0 ? "other" : undefined;
  const near = nearest([i], open, looks);
  return near.length === 1 ? near[0] : undefined;
}
