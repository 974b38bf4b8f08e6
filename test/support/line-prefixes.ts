/** What other tools put in front of a line and around it. */
export type Wrapping = (line: string, number: number) => string;

export const WRAPPINGS: Readonly<Record<string, Wrapping>> = {
  journalctl: (line) => `Jan 02 03:04:05 h1 qemu-system-x86_64[4240]: ${line}`,
  "journalctl -o short-iso-precise": (line) =>
    `2026-01-02T03:04:05.123456+0100 h1 qemu-kvm[4240]: ${line}`,
  "syslog, RFC 5424": (line) => `<30>1 2026-01-02T03:04:05.123456Z h1 qemu-kvm 4240 - - ${line}`,
  "a container's log (CRI)": (line) => `2026-01-02T03:04:05.123456789Z stderr F ${line}`,
  "a container's log in JSON": (line) =>
    JSON.stringify({ log: `${line}\n`, stream: "stderr", time: "2026-01-02T03:04:05.123Z" }),
  "journalctl -o json": (line) => JSON.stringify({ _PID: "4240", MESSAGE: line, PRIORITY: "6" }),
  "kubectl logs --prefix": (line) => `[pod/virt-launcher-vm1-x7k2p/compute] ${line}`,
  "docker compose logs": (line) => `vm1-1  | ${line}`,
  "grep -n": (line, number) => `${number}:${line}`,
  "grep -Hn": (line, number) => `logs/vm1.log:${number}:${line}`,
  "a quotation": (line) => `> ${line}`,
  quotes: (line) => `"${line}"`,
  dmesg: (line) => `[  101.000000] ${line}`,
  "colours of a terminal": (line) => `\x1b[1;32m${line}\x1b[0m`,
  "grep --color=always": (line, number) =>
    `\x1b[32m\x1b[K${number}\x1b[m\x1b[K:${line}\x1b[m\x1b[K`,
  "an indented block": (line) => `    ${line}`,
};
