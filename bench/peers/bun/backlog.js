// A longer queue of connections not yet accepted: Bun asks for 512 and has no setting, which would cost it a second
// whenever thousands connect at once. Linux lets a listening socket be told again.

import { dlopen } from "bun:ffi";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";

const LISTENING = "0A";

export function lengthen(port, backlog) {
  const address = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const sockets = readFileSync("/proc/self/net/tcp", "utf8").split("\n").map((line) => line.trim().split(/\s+/));
  const [, , , , , , , , , inode] = sockets.find((it) => it[1]?.endsWith(address) && it[3] === LISTENING) ?? [];
  for (const descriptor of readdirSync("/proc/self/fd")) {
    if (link(descriptor) === `socket:[${inode}]`) {
      dlopen("libc.so.6", { listen: { args: ["i32", "i32"], returns: "i32" } }).symbols.listen(Number(descriptor), backlog);
    }
  }
}

/** What a descriptor is, or nothing when it is gone by now. */
function link(descriptor) {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return undefined;
  }
}
