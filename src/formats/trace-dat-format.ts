/** trace.dat of trace-cmd as a format: ring-buffer pages, or the text of a latency tracer. */
import { portableCodecs } from "../bytes/codecs.ts";
import { traceDatVersion } from "../bytes/signatures.ts";
import type { Feed } from "./feed.ts";
import type { Format, FormatInput } from "./format.ts";
import { openFtraceText } from "./ftrace-text.ts";
import { openRingFeed } from "./ring-feed.ts";
import { NeedsRandomAccess } from "./trace-dat/needs-random-access.ts";
import { openTraceDat } from "./trace-dat/open.ts";

export const traceDat: Format = {
  name: "trace-dat",
  describe: (version) => `trace.dat of trace-cmd (version ${version})`,
  sniff(head) {
    const version = traceDatVersion(head);
    return version === null ? null : { variant: version };
  },
  open,
};

async function open({ context, unwrapped, surroundings }: FormatInput): Promise<Feed> {
  let random = unwrapped.random();
  if (random === null) {
    const why = `${unwrapped.name}: a trace.dat is read by offset, so it is kept in a temporary file`;
    random = await surroundings.spool(unwrapped.name, unwrapped.stream(), why);
  }
  try {
    const input = { name: unwrapped.name, stream: null, random };
    const dat = await openTraceDat(input, surroundings.codecs?.(random.size) ?? portableCodecs);
    if (dat.latencyText) {
      return openFtraceText(context, dat.latencyText(), `trace.dat v${dat.version} with text`);
    }
    const feed = openRingFeed(context, dat);
    const close = feed.close.bind(feed);
    const opened = random;
    feed.close = () => {
      close();
      opened.close();
    };
    return feed;
  } catch (error) {
    random.close();
    if (error instanceof NeedsRandomAccess) throw new Error(`bug: ${error.message}`);
    throw error;
  }
}
