/** An HTTP server that answers as a test says: what a test cannot make the real one do at will. */

import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Heard {
  path: string;
  headers: IncomingHttpHeaders;
  body: Record<string, unknown>;
  at: number;
}

/** An answer; `null` cuts the line. */
export type Answer = { status: number; body?: unknown; headers?: Record<string, string> } | null;

export const REACHED = { status: 200, body: { ok: true, clients: 1 } };

/** Answers call after call by `answers`, the last of which stands for all later ones. */
export class StandIn implements AsyncDisposable {
  readonly heard: Heard[] = [];
  #waiting: (() => void)[] = [];

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(answer: (call: Heard, place: number) => Answer | Promise<Answer>): Promise<StandIn> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', async () => {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
        const call = { path: request.url ?? '', headers: request.headers, body, at: performance.now() };
        standIn.heard.push(call);
        for (const told of standIn.#waiting.splice(0)) told();
        say(await answer(call, standIn.heard.length - 1), response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const standIn = new StandIn(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return standIn;
  }

  /** One answer after the other; the last for all that follow. */
  static saying(...answers: Answer[]): Promise<StandIn> {
    return StandIn.start((_call, place) => answers[Math.min(place, answers.length - 1)] as Answer);
  }

  /** Waits until so many calls came. */
  async until(count: number): Promise<void> {
    while (this.heard.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function say(answer: Answer, response: ServerResponse): void {
  if (answer === null) {
    response.destroy();
    return;
  }
  response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
  response.end(JSON.stringify(answer.body ?? {}));
}

/** Something that a test lets go when it will. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
